"""
The import rules of the architecture: which rooms may import which others, and which may not import Twisted.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

import sttproxy

PACKAGE = Path(sttproxy.__file__).parent
ROOT = "sttproxy"

#: The rooms of ours that each room may import.  A room is a module or a folder of the package; inside a folder all
#: imports are allowed.
ROOMS: dict[str, frozenset[str]] = {
    room: frozenset(allowed.split())
    for room, allowed in {
        "errors": "",
        "clock": "",
        "monitor": "errors http1",
        "metrics": "monitor",
        "page": "",
        "values": "peers",
        "options": "values",
        "usage": "options",
        "settings": "embedded options peers usage values watch",
        "routes": "errors http1",
        "jsontext": "",
        "headers": "errors http1",
        "peers": "http1",
        "proxyheader": "",
        "forwarded": "errors http1 peers",
        "loops": "errors http1",
        "trailers": "errors forwarded headers http1",
        "cors": "errors http1",
        "http1": "errors proxyheader",
        "http2": "errors http1",
        "config": "errors jsontext peers routes transcripts",
        "profiles": "errors config headers http1 routes",
        "asking": "config http1 peers profiles routes",
        "outcome": "errors config watch",
        "clean": "errors config options outcome settings transcripts usage",
        "service": "errors options outcome privileges settings usage",
        "health": "outcome routes settings usage",
        "commands": "errors asking clean config forms handover health options outcome profiles service settings usage",
        "handover": "deadline outcome pidfile signals usage values",
        "steering": "handover signals",
        "forms": "errors headers config jsontext",
        "realtime": "errors config forms http1 jsontext websocket",
        "transcripts": "errors headers",
        "deadline": "",
        "descriptors": "",
        "transport": "deadline",
        "writer": "transport",
        "watch": "errors config",
        "requestid": "errors http1",
        "logs": "writer",
        "progress": "logs monitor",
        "logbook": "daemon errors inbound logs settings writer",
        "signals": "",
        "vitals": "",
        "notify": "",
        "announcing": "monitor notify vitals",
        "pidfile": "",
        "privileges": "",
        "inbound": "cors errors headers http1 http2 deadline peers proxyheader transport writer monitor logs requestid",
        "upstream": "errors headers http1 http2 deadline transport writer",
        "embedded": "errors transcripts",
        "tls": "errors inbound peers proxyheader transport",
        "security": "daemon errors privileges settings tls watch",
        "listening": "daemon errors inbound peers settings",
        "admission": "errors",
        "tunnel": "deadline transport websocket inbound",
        "websocket": "",
        "upload": "errors headers http1 inbound monitor trailers upstream",
        "relay": "errors headers http1 deadline inbound monitor requestid routes trailers tunnel upload upstream",
        "rendering": "config deadline errors forms headers http1 inbound relay transcripts",
        "resources": "admission config cors errors forms forwarded headers http1 inbound loops metrics monitor page "
        "peers profiles realtime relay rendering requestid routes trailers tunnel upload upstream",
        "daemon": "transport inbound upstream logs steering",
        "console": "commands signals",
        "workers": "admission config daemon errors handover http1 inbound monitor resources settings steering vitals "
        "watch",
        "backends": "*",
        "sites": "*",
        "compose": "*",
        "tap": "*",
        "teamwork": "*",
        "__main__": "console",
    }.items()
}

#: Rooms that are tested with plain bytes, and the external packages that each may import.
PURE: dict[str, frozenset[str]] = {
    room: frozenset(allowed.split())
    for room, allowed in {
        "errors": "",
        "websocket": "",
        "requestid": "",
        "monitor": "attrs",
        "page": "attrs",
        "routes": "attrs",
        "jsontext": "attrs",
        "headers": "",
        "peers": "attrs",
        "proxyheader": "attrs",
        "forwarded": "attrs",
        "trailers": "",
        "cors": "",
        "http1": "attrs httptools",
        "http2": "jh2",
        "config": "attrs",
        "profiles": "attrs",
        "asking": "attrs",
        "forms": "attrs",
        "realtime": "attrs wsproto",
        "transcripts": "attrs opencc regex",
    }.items()
}

#: Rooms that may import only the interfaces of Twisted.
INTERFACES_ONLY = ("deadline", "transport", "writer")


@attrs.frozen
class Import:
    """
    One name in one import statement.

    :ivar by: the dotted name of the importing module.
    :ivar of: the dotted name of what is imported; its last part may be a module's attribute.
    :ivar line: the line number.
    :ivar at_top: whether it runs when the module is imported, because it is not inside a function.
    """

    by: str
    of: str
    line: int
    at_top: bool

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"{self.by}, line {self.line}, imports {self.of}"

    def room(self) -> str:
        """The room of ours that is imported; empty for external packages, and for the package's own names."""
        parts = self.of.split(".")
        return parts[1] if parts[0] == ROOT and len(parts) > 1 and parts[1] in ROOMS else ""

    def elsewhere(self) -> str:
        """The external top-level package; empty for our own and for Python's standard library."""
        top = self.of.partition(".")[0]
        return "" if top == ROOT or top in sys.stdlib_module_names else top


def imports_of(source: str, module: str, is_package: bool) -> Iterator[Import]:
    """Return every import in a module's text, also those in functions and for type checkers only."""
    tree = ast.parse(source)
    in_functions = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            base, names = "", [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base, names = ".".join([*above, *filter(None, [node.module])]) + ".", [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(module, base + name, node.lineno, node not in in_functions)


def all_imports() -> list[Import]:
    """Return the imports of every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = [ROOT, *path.relative_to(PACKAGE).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        found += imports_of(path.read_text(encoding="utf-8"), module, is_package)
    return found


def room_of(module: str) -> str:
    """Return the room of a module of ours; empty for the package itself."""
    return module.partition(".")[2].partition(".")[0]


class LayeringTests(SynchronousTestCase):
    """The package follows the import rules."""

    def test_every_room(self) -> None:
        """Every module and folder of the package has a row."""
        found = {path.stem for path in PACKAGE.glob("*.py")} | {
            path.parent.name for path in PACKAGE.glob("*/__init__.py")
        }
        self.assertEqual(sorted(found - {"__init__"} - ROOMS.keys()), [])

    def test_ours(self) -> None:
        """A room imports only those rooms of ours that its row names."""
        wrong = []
        for each in all_imports():
            room, other = room_of(each.by), each.room()
            if other and other != room and "*" not in ROOMS[room] and other not in ROOMS[room]:
                wrong.append(each.where)
        self.assertEqual(wrong, [])

    def test_package(self) -> None:
        """The package itself imports none of its rooms, so that its version can be read without them."""
        self.assertEqual(
            [each.where for each in all_imports() if each.by == ROOT and each.of != "__future__.annotations"], []
        )

    def test_no_circles(self) -> None:
        """Rooms can be put in an order in which each imports only earlier ones."""
        done: set[str] = set()
        left = {room: set(allowed) - {"*"} for room, allowed in ROOMS.items() if "*" not in allowed}
        while ready := {room for room, allowed in left.items() if allowed <= done}:
            done |= ready
            left = {room: allowed for room, allowed in left.items() if room not in ready}
        self.assertEqual(left, {})

    def test_pure(self) -> None:
        """Pure rooms import only the external packages that their rows name: not Twisted, treq or zope."""
        wrong = [
            each.where
            for each in all_imports()
            if room_of(each.by) in PURE and each.elsewhere() and each.elsewhere() not in PURE[room_of(each.by)]
        ]
        self.assertEqual(wrong, [])

    def test_pure_of_pure(self) -> None:
        """A pure room imports only pure rooms of ours."""
        self.assertEqual([(room, other) for room in PURE for other in ROOMS[room] if other not in PURE], [])

    def test_interfaces_only(self) -> None:
        """Rooms that take a clock or a transport as an argument import only their interfaces."""
        wrong = [
            each.where
            for each in all_imports()
            if room_of(each.by) in INTERFACES_ONLY
            and each.elsewhere()
            and not each.of.startswith("twisted.internet.interfaces.")
        ]
        self.assertEqual(wrong, [])

    def test_reactor(self) -> None:
        """No module imports the reactor at import time, so that the caller can choose one."""
        wrong = [each.where for each in all_imports() if each.at_top and each.of.startswith("twisted.internet.reactor")]
        self.assertEqual(wrong, [])

    def test_late(self) -> None:
        """
        wsproto is imported only when a realtime session begins, and prometheus_client when ``/metrics`` is asked for.
        """
        late = ("realtime", ""), ("", "wsproto"), ("metrics", ""), ("", "prometheus_client")
        early = [each for each in all_imports() if each.at_top and room_of(each.by) not in ("realtime", "metrics")]
        self.assertEqual([each.where for each in early if (each.room(), each.elsewhere()) in late], [])

    def test_composer(self) -> None:
        """Only the composer's own callers import the composer."""
        for room, callers in (
            ("tap", {"tap"}),
            ("teamwork", {"tap"}),
            ("sites", {"compose", "tap", "teamwork"}),
            ("compose", {"tap", "teamwork"}),
        ):
            wrong = [each.where for each in all_imports() if each.room() == room and room_of(each.by) not in callers]
            self.assertEqual(wrong, [])


class ImportTests(SynchronousTestCase):
    """The search finds every import."""

    def found(self, source: str, module: str = "sttproxy.inbound.channel", is_package: bool = False) -> list[str]:
        """Return the names that a text imports."""
        return [each.of for each in imports_of(source, module, is_package)]

    def test_spellings(self) -> None:
        """Each spelling of an import is found under its full name."""
        for source, name in (
            ("import a.b", "a.b"),
            ("import a.b as c", "a.b"),
            ("from a import b", "a.b"),
            ("from . import body", "sttproxy.inbound.body"),
            ("from .body import RequestBody", "sttproxy.inbound.body.RequestBody"),
            ("from .. import errors", "sttproxy.errors"),
            ("from ..errors import BadRequest", "sttproxy.errors.BadRequest"),
            ("from sttproxy.errors import BadRequest", "sttproxy.errors.BadRequest"),
            ("if TYPE_CHECKING:\n    from ..errors import BadRequest", "sttproxy.errors.BadRequest"),
            ("def f():\n    from ..errors import BadRequest", "sttproxy.errors.BadRequest"),
            ("try:\n    import a\nexcept ImportError:\n    pass", "a"),
        ):
            self.assertEqual(self.found(source), [name], source)
        self.assertEqual(self.found("from . import site", "sttproxy.inbound", True), ["sttproxy.inbound.site"])
        self.assertEqual(self.found("from .. import errors", "sttproxy.inbound", True), ["sttproxy.errors"])
        self.assertEqual(self.found("from . import errors", "sttproxy.tap"), ["sttproxy.errors"])

    def test_rooms(self) -> None:
        """A name is mapped to its room, to the package itself, or to an external package."""
        for name, room, elsewhere in (
            ("sttproxy.http1.heads.Head", "http1", ""),
            ("sttproxy.errors", "errors", ""),
            ("sttproxy.__version__", "", ""),
            ("twisted.internet.reactor", "", "twisted"),
            ("json.loads", "", ""),
        ):
            each = Import("sttproxy.x", name, 1, True)
            self.assertEqual((each.room(), each.elsewhere()), (room, elsewhere), name)

    def test_at_top(self) -> None:
        """
        An import inside a function is distinguished from one that runs with its module, also in a class or a
        condition.
        """
        for source, at_top in (
            ("import a", True),
            ("if True:\n    import a", True),
            ("class A:\n    import a", True),
            ("def f():\n    import a", False),
            ("async def f():\n    import a", False),
            ("class A:\n    def f(self):\n        if True:\n            import a", False),
        ):
            self.assertEqual([each.at_top for each in imports_of(source, "sttproxy.x", False)], [at_top], source)
