"""
A hook of mkdocs: the documents outside of docs/ become pages, too, and links between all of them work as they do in the
repository.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
#: The pages that are documents outside of docs/.
PAGES = {
    "README.md": "index.md",
    "README.zh-CN.md": "index.zh-CN.md",
    "NEWS.md": "news.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "bench/README.md": "bench.md",
    "etc/README.md": "etc.md",
    "tests/fuzz/README.md": "fuzz.md",
}
#: Other files that are linked are at this place of the site.
_FILES = "files"
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def slug(text: str, separator: str) -> str:
    """The anchor of a heading, as code hosts make it, also for Chinese."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


def place(path: str) -> str:
    """Where a file of the repository is in the site."""
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{_FILES}/{path}"


def linked(path: str) -> set[str]:
    """The files of the repository that a document links to."""
    targets = (match[2] for match in _LINK.finditer((ROOT / path).read_text("utf-8")))
    found = {posixpath.normpath(posixpath.join(posixpath.dirname(path), target)) for target in targets}
    return {each for each in found if (ROOT / each).is_file()}


def on_config(config: Any) -> Any:
    """Make anchors like those in the repository."""
    config.mdx_configs["toc"] = {"slugify": slug}
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the documents outside of docs/, and what is linked."""
    documents = [*PAGES, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    for path in {*PAGES, *(target for document in documents for target in linked(document))}:
        if files.get_file_from_path(place(path)) is None:
            files.append(File.generated(config, place(path), abs_src_path=os.fspath(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links lead to where the files are in the site."""
    here = page.file.src_uri
    path = next((source for source, uri in PAGES.items() if uri == here), f"docs/{here}")

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[2]))
        if not (ROOT / target).is_file():
            return match[0]
        return match[1] + posixpath.relpath(place(target), posixpath.dirname(here) or ".") + match[3]

    return _LINK.sub(moved, markdown)
