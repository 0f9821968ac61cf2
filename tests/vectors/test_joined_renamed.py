"""
The forms of the vectors under rules that depend on the client's values and names.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import parse
from sttproxy.errors import ProxyError
from sttproxy.headers import boundary_of, parse_content_type

from ..fuzz.inputs import check_json, check_pairs
from ..fuzz.invariants import check_readers, check_rewriter
from . import envelopes, parameters, parts, small, spellings

#: Configurations for the fields of the vectors: joined, removed, mapped and renamed ones.  Tables and renames change
#: nothing in their own results.
CONFIGURATIONS = (
    b'{"prompt": {"$prepend": "configured ", "max_tokens": 9}, "$rename": {"language": "file"}}',
    b'{"$map": {"prompt": {"EVIL": null, "e*": "mild"}, "language": {"*": null}, "other": {"1": "long"}}}',
    b'{"$rename": {"prompt": "text", "language": "timestamp_granularities[]", "temperature": "model"}}',
)


class JoinedRenamedTests(SynchronousTestCase):
    """No reader finds another value than the right one."""

    def test_multipart(self) -> None:
        """A form is refused, or every reader finds each field with its right value only."""
        accepted: Counter[bytes] = Counter()
        refused: Counter[str] = Counter()
        for configuration in CONFIGURATIONS:
            rules = parse(configuration).base
            for vector in (*parameters.ROWS, *parts.ROWS, *envelopes.ROWS, *spellings.ROWS):
                if len(vector.body) > 3000 or vector.content_type is None:
                    continue
                try:
                    boundary = boundary_of(parse_content_type(vector.content_type)[1])
                except ProxyError:
                    continue
                for counted in (True, False):
                    left = check_rewriter(rules, boundary, [vector.body], counted)
                    if left is not None:
                        accepted[configuration] += 1
                        check_readers(rules, left, refused)
        self.assertGreater(min(accepted[each] for each in CONFIGURATIONS), 100)

    def test_small(self) -> None:
        """The same for pairs and objects."""
        for configuration in CONFIGURATIONS[1:]:
            rules = parse(configuration).base
            for vector in (*small.PAIRS, *spellings.ROWS):
                check_pairs(rules, vector.body)
            for vector in small.OBJECTS:
                if len(vector.body) <= 3000:
                    check_json(rules, vector.body, 3)
