"""
Every parser reads the rewriter's output as the configured values, the client's other fields, and the files.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from sttproxy.config import Rules, parse

from ..forms.oracle import Oracle
from ..forms.rewriting import Item, Rewritten, drops
from ..forms.strategies import Form, configurations, forms
from ..fuzz.invariants import forced, outcome, ruled
from ..fuzz.strategies import Attempt, accepted, attempts
from . import installed
from .cases import Case, all_cases
from .process import Refused
from .pythons import READERS
from .quirks import may_refuse, plain, same
from .reading import Reading, reading_of

#: Reads many forms at once.
Batch = Callable[[Sequence[Rewritten]], list["Reading | Refused"]]

#: Names that all parsers read the same; other names are compared only for configured fields.
_PLAIN = re.compile(r"\w([\w. -]*\w)?(\[\w*\])?")


@functools.cache
def cases() -> list[Case]:
    """The tables, and generated forms: the same in every run."""
    found = all_cases()

    @settings(max_examples=200, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(forms(min_boundary=16), configurations().filter(accepted), st.booleans())
    def generate(form: Form, configuration: bytes, counted: bool) -> None:
        rules = parse(configuration).base
        output = outcome(rules, form.boundary, [form.body], counted)
        sent = [Item(part.name, part.filename, part.content_type, part.value) for part in form.parts]
        kept = [item for item in sent if not drops(rules, item.name)]
        plain_names = (name for item in kept for name in (item.name, (item.filename or b"x").decode()))
        if isinstance(output, Rewritten) and all(map(_PLAIN.fullmatch, plain_names)):
            found.append(Case(f"generated {len(found)}", output, tuple(Oracle.of(configuration).items(sent))))

    generate()
    return found


@functools.cache
def attempts_that_pass() -> list[tuple[Rules, Rewritten]]:
    """Deceptive forms that the rewriter accepts: the same in every run."""
    found: list[tuple[Rules, Rewritten]] = []

    @settings(max_examples=400, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(attempts())
    def generate(attempt: Attempt) -> None:
        rules = parse(attempt.configuration).base
        output = outcome(rules, attempt.boundary, attempt.pieces, attempt.counted)
        if isinstance(output, Rewritten):
            found.append((rules, output))

    generate()
    return found


class ReaderTests(SynchronousTestCase):
    """Each parser by itself."""

    def held(self, reader: str, batch: Batch) -> None:
        """
        Check that a parser reads all forms as expected, and in deceptive forms only configured values of ruled
        fields.

        All failures are listed.
        """
        wrong = []
        deceiving = attempts_that_pass()
        readings = batch([*(case.output for case in cases()), *(output for _, output in deceiving)])
        for case, reading in zip(cases(), readings, strict=False):
            if isinstance(reading, Refused):
                if not may_refuse(reader, case):
                    wrong.append(f"{case.name}: refused: {reading}")
            elif not same(reader, case, reading):
                meant = reading_of(case.expected)
                wrong.append(f"{case.name}: {str(reading)[:600]}\n    and not {str(meant)[:600]}")
        for (rules, output), reading in zip(deceiving, readings[len(cases()) :], strict=True):
            if isinstance(reading, Refused):
                continue
            seen, files = ruled(rules, reading)
            read, written = (
                {name: each[name] for name in each if plain(reader, name)} for each in (seen, forced(rules))
            )
            if read != written or files:
                wrong.append(f"{output.body!r}: {read} {files}\n    and not {written}")
        if wrong:
            self.fail("\n".join([f"{reader} reads {len(wrong)} of {len(readings)} forms otherwise:", *wrong]))

    def held_here(self, reader: str) -> None:
        """The same for a parser of this Python."""
        package, read = READERS[reader]
        if importlib.util.find_spec(package) is None:
            raise SkipTest(f"{package} is not installed; pip install {package}")

        def batch(lefts: Sequence[Rewritten]) -> list[Reading | Refused]:
            readings: list[Reading | Refused] = []
            for output in lefts:
                try:
                    readings.append(read(output))
                except Exception as error:
                    readings.append(Refused(repr(error)))
            return readings

        self.held(reader, batch)

    def test_starlette(self) -> None:
        """The current Starlette and python-multipart."""
        self.held_here("starlette")

    def test_old_starlette(self) -> None:
        """Starlette and python-multipart of early 2024."""
        self.held("old starlette", installed.by_old_starlette)

    def test_multipart(self) -> None:
        """The multipart package."""
        self.held_here("multipart")

    def test_email(self) -> None:
        """The standard library's mail parser."""
        self.held_here("email")

    def test_werkzeug(self) -> None:
        """Werkzeug."""
        self.held_here("werkzeug")

    def test_django(self) -> None:
        """Django."""
        self.held_here("django")

    def test_busboy(self) -> None:
        """Busboy on Node."""
        self.held("busboy", installed.by_busboy)

    def test_undici(self) -> None:
        """Node's own fetch."""
        self.held("undici", installed.by_undici)

    def test_httplib(self) -> None:
        """cpp-httplib."""
        self.held("httplib", installed.by_httplib)
