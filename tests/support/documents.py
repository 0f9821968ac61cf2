"""
The documents of the project, and what tests look for in them: code blocks, tables, headings, links, code spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
#: What the suffix of a Chinese document replaces.
ENGLISH, CHINESE = ".md", ".zh-CN.md"
#: Documents whose code blocks are run, or say why they are not.
RUN = (
    "docs/tls.md",
    "docs/hosted.md",
    "docs/keys.md",
    "docs/metrics.md",
    "docs/transcripts.md",
    "docs/service.md",
    "docs/container.md",
    "docs/cluster.md",
    "docs/scaling.md",
    "docs/profiles.md",
    "docs/troubleshooting.md",
    "docs/workers.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs/clients").glob("*.md") if ".zh-CN." not in path.name),
)
#: All documents for users.
DOCUMENTS = ("README.md", "README.zh-CN.md", "SECURITY.md", *RUN, *(name.replace(ENGLISH, CHINESE) for name in RUN))

_FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@attrs.frozen
class Block:
    """
    A code block.

    :ivar language: the word behind the fence.
    :ivar text: its lines.
    :ivar note: the HTML comment on the line before it, ``key: value``; empty: there is none.
    :ivar line: the number of its first line.
    """

    language: str
    text: str
    note: str
    line: int

    def noted(self, key: str) -> str:
        """The value of a note; empty if it has another one."""
        found, _, value = self.note.partition(": ")
        return value if found == key else ""


class Document:
    """A Markdown file."""

    def __init__(self, name: str) -> None:
        """
        :param name: its path from the root of the project.
        """
        self.name = name
        self.text = (ROOT / name).read_text("utf-8")
        self.prose = _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        """Its code blocks."""
        return [
            Block(found["language"], found["text"], found["note"] or "", self.text.count("\n", 0, found.start()) + 1)
            for found in _FENCE.finditer(self.text)
        ]

    @property
    def spans(self) -> list[str]:
        """What stands in single backticks, outside of code blocks."""
        return _SPAN.findall(self.prose)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """The levels and the texts of its headings."""
        return [(len(marks), text) for marks, text in re.findall(r"^(#+) (.+)$", self.prose, re.MULTILINE)]

    @property
    def anchors(self) -> set[str]:
        """The fragments that lead to its headings, as GitHub makes them."""
        return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for _, text in self.headings}

    @property
    def links(self) -> list[str]:
        """The targets of its links that lead to no other site."""
        return [link for link in re.findall(r"\]\(([^)\s]+)\)", self.prose) if "://" not in link]

    @property
    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """The rows of its tables: the first cell of the table's head, and the cells."""
        title = ""
        for line in self.prose.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
            if not cells:
                title = ""
            elif not title:
                title = cells[0]
            elif not line.startswith("|---"):
                yield title, cells
