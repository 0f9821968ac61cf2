"""
The documents agree with the code, and with each other.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from itertools import chain

from jh2.frame_buffer import CONTINUATION_BACKLOG
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

import sttproxy.config
from bench.capacity import command_line
from sttproxy.clean import CleanOptions
from sttproxy.commands import CheckOptions, ExplainOptions
from sttproxy.handover.command import UpgradeOptions
from sttproxy.health import HealthOptions
from sttproxy.http1.heads import MAX_FIELDS, MAX_HEAD
from sttproxy.http1.requests import MAX_REQUEST_LINE
from sttproxy.http2.outbound import CONNECTION_WINDOW, MAX_FRAME, MAX_STREAMS, MAX_WAITING, STREAM_WINDOW
from sttproxy.inbound.http2 import ALLOWANCE, ALLOWANCE_PER_S, BYTES_PER_UPDATE, RESET_COST
from sttproxy.options import OPTIONS, PREFIX
from sttproxy.service.options import InstallOptions

from .support.documents import CHINESE, DOCUMENTS, ENGLISH, ROOT, RUN, Document

#: Code blocks of these languages need not be run: their names say which program reads them.
_READ = frozenset({"json", "caddyfile", "nginx", "haproxy"})


def _options() -> set[str]:
    """The names of all options that a user of sttproxy may give."""
    commands = (CheckOptions(), CleanOptions(), ExplainOptions(), HealthOptions(), InstallOptions(), UpgradeOptions())
    others = (ServerOptions(), *commands)
    simulation = {name.removeprefix("--") for name in command_line()._option_string_actions}
    return (
        {option.name for option in OPTIONS}
        | {name.rstrip("=") for each in others for name in each.longOpt}
        | simulation
    )


@cache
def _texts() -> str:
    """All texts in the code; a text that is put together of several is several."""
    files = (ROOT / "sttproxy").rglob("*.py")
    nodes = chain.from_iterable(ast.walk(ast.parse(file.read_text("utf-8"))) for file in files)
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


class DocumentTests(SynchronousTestCase):
    """Names and texts in documents."""

    def test_options(self) -> None:
        """Each option that a document names exists."""
        known = _options()
        for name in DOCUMENTS:
            found = {word for span in Document(name).spans for word in re.findall(r"^--([a-z][a-z-]*)", span)}
            self.assertEqual(found - known, set(), name)

    def test_variables(self) -> None:
        """Each variable of the environment exists."""
        known = {option.variable for option in OPTIONS}
        for name in DOCUMENTS:
            found = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]", Document(name).text))
            self.assertEqual(found - known, set(), name)

    def test_links(self) -> None:
        """Each link leads to a file, and to a heading in it."""
        for name in DOCUMENTS:
            for link in Document(name).links:
                path, _, anchor = link.partition("#")
                target = (ROOT / name).parent / path if path else ROOT / name
                self.assertTrue(target.exists(), f"{name}: {link}")
                if anchor:
                    anchors = Document(str(target.resolve().relative_to(ROOT))).anchors
                    self.assertIn(anchor, anchors, f"{name}: {link}")

    def test_messages(self) -> None:
        """Each message of sttproxy that a table explains is one of the code; `…` stands for what differs."""
        count = 0
        for name in RUN:
            for title, cells in Document(name).rows:
                if title == "message" and cells[0].startswith("`"):
                    count += 1
                    for part in filter(None, map(str.strip, cells[0].strip("`").split("…"))):
                        self.assertTrue(part in _texts(), f"{name}: {part}")
        self.assertGreater(count, 20)

    def test_configurations(self) -> None:
        """Each configuration can be used."""
        for name in RUN:
            for block in Document(name).blocks:
                if block.noted("file") == "stt_config.json":
                    self.assertEqual(sttproxy.config.parse(block.text.encode()).warnings, (), name)
                elif block.language == "json":
                    json.loads(block.text)

    def test_run(self) -> None:
        """Each code block is run, is a file, or says why it is not run."""
        for name in RUN:
            for block in Document(name).blocks:
                excused = block.noted("not run") or block.noted("file") or block.note == "output"
                run = block.language in ("sh", "console", "python") or block.language in _READ
                self.assertTrue(excused or run, f"{name}:{block.line}")

    def test_readme(self) -> None:
        """The commands for TLS and keys in the READMEs are those of the documents."""
        shown = "".join(block.text for name in RUN for block in Document(name).blocks).replace("\\\n", "")
        for name in ("README.md", "README.zh-CN.md"):
            (block,) = (block for block in Document(name).blocks if "--tls-cert" in block.text)
            for line in block.text.splitlines():
                self.assertIn(line, shown)


class LanguageTests(SynchronousTestCase):
    """Both languages say the same."""

    def test_same(self) -> None:
        """The Chinese documents have the code blocks, the headings, the rows and the code of the English ones."""
        for name in RUN:
            english, chinese = Document(name), Document(name.replace(ENGLISH, CHINESE))
            for one, other in zip(english.blocks, chinese.blocks, strict=True):
                self.assertEqual((one.language, one.text), (other.language, other.text), f"{name}:{one.line}")
                self.assertEqual(one.note.partition(": ")[0], other.note.partition(": ")[0], f"{name}:{one.line}")
            self.assertEqual(
                [level for level, _ in english.headings],
                [level for level, _ in chinese.headings],
                f"headings of {name}",
            )
            self.assertEqual(len(list(english.rows)), len(list(chinese.rows)), f"tables of {name}")
            self.assertEqual(sorted(set(english.spans)), sorted(set(chinese.spans)), name)


class SecurityTests(SynchronousTestCase):
    """Numbers in SECURITY.md."""

    def test_limits(self) -> None:
        """The limits are those of the code."""
        text = " ".join(Document("SECURITY.md").text.split())
        kib = 1024
        for phrase in (
            f"{MAX_STREAMS} requests at a time",
            f"{MAX_HEAD // kib} KiB and {MAX_FIELDS} fields",
            f"{MAX_REQUEST_LINE // kib} KiB for the request line",
            f"{CONTINUATION_BACKLOG} CONTINUATION frames",
            f"{MAX_FRAME // kib} KiB for a frame",
            f"{STREAM_WINDOW // kib} KiB of each request body",
            f"{CONNECTION_WINDOW // kib // kib} MiB of all bodies",
            f"{MAX_WAITING // kib} KiB of each response",
            f"{ALLOWANCE:g} points, and {ALLOWANCE_PER_S:g} more each second",
            f"costs {RESET_COST:g} points",
            f"one point for each {BYTES_PER_UPDATE} bytes",
        ):
            self.assertIn(phrase, text)
