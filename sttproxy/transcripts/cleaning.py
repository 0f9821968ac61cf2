"""
The rules, applied to the segments of one transcript.

In each text, in this order: the Chinese script is converted, keys are replaced, repeated phrases become one, blanks are
trimmed.  This is done again until nothing changes, so that a clean text stays as it is; a text that comes to no rest is
left as the server wrote it.  Then segments are dropped, and equal neighbours become one.

No rule changes a time: equal neighbours become the first of them, with its own times.  Of words, the outer times are
kept when they are merged.  What was done is counted by rule and number, never by text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from .chinese import Conversion
from .edits import Edit, Step, Wording, edited, spelled
from .model import Segment, Word
from .phrases import Drop
from .repeats import is_loop, repeats
from .replacing import Clock, Replacing
from .scripts import fold

#: How often the rules for texts are applied to one text at most.
MAX_PASSES = 8

#: What was done, and how often: by the name of the rule, and by the number of the phrase or of the key; 0 if the rule
#: has only one.  The rules are ``known``, ``also`` and ``no_speech`` (segments dropped), ``repeats`` (runs that became
#: one), ``replace`` (places), ``chinese`` and ``trim`` (segments), ``exceeded`` (patterns given up because their search
#: took too long) and ``restless`` (texts left alone, because each pass of the rules changed them again).
Counts = Counter[tuple[str, int]]

#: What was done to most texts: nothing.
_NONE: Counts = Counter()
_SPACES = re.compile(r"\s+")
#: What most texts do not have, and superfluous blanks are.
_SUPERFLUOUS = re.compile(r"\A\s|\s(?:\s|[,.]|\Z)")


@attrs.frozen(eq=False)
class Cleaning:
    """
    All rules, ready to be applied.

    :ivar repeats: how often a phrase is repeated at least when it becomes one; 0 if repeats are left alone.
    :ivar trim: whether blanks at the ends of texts and lines, superfluous blanks and blank lines are removed.
    """

    chinese: Conversion | None = None
    replacing: Replacing | None = None
    repeats: int = 0
    drop: Drop | None = None
    trim: bool = False

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.chinese or self.replacing or self.repeats or self.drop or self.trim)

    @property
    def is_slow(self) -> bool:
        """Whether even a short text may take long: patterns can."""
        return self.replacing is not None and self.replacing.has_patterns

    def result(self, text: str) -> str | None:
        """What the rules for texts make of a text; None if it comes to no rest."""
        settled = Cleaner(self)._settled(text, False)
        return None if settled.counts["restless", 0] else settled.text


@attrs.frozen
class Change:
    """
    What the rules did to one segment.

    :ivar start_s: when it begins, in seconds; None if it has no times.
    :ivar after: its new text; None if it was dropped.
    :ivar rules: the rules that changed it, and the numbers of their phrases or keys.
    """

    start_s: float | None
    before: str
    after: str | None
    rules: tuple[tuple[str, int], ...]


@attrs.define
class _Text:
    """A text that came to rest, and the edits that led there, pass by pass and rule by rule."""

    text: str
    steps: Sequence[Step]
    counts: Counts


class Cleaner:
    """
    Applies rules to the segments of one transcript, while they arrive.

    The first of equal neighbours stays in any case; the others are held back until it is clear whether they do.

    :ivar counts: what was done so far.
    :ivar changes: the segments that were changed so far; empty if they are not wanted.
    """

    def __init__(self, cleaning: Cleaning, *, trace: bool = False, clock: Clock | None = None) -> None:
        """
        :param trace: whether `changes` are wanted.
        """
        self.counts: Counts = Counter()
        self.changes: list[Change] = []
        self._cleaning = cleaning
        self._trace = trace
        self._clock = clock or Clock()
        #: Of a run of equal neighbours: what they have in common, and those behind the first that are held back.
        self._key: tuple[str, str | None] | None = None
        self._equal: list[Segment] = []
        self._looping = False

    def feed(self, segments: Iterable[Segment]) -> list[Segment]:
        """
        Take segments in their order; return those that are clean.

        The given segments are not changed; those without a change are returned themselves.
        """
        return [ready for segment in segments for each in self._segment(segment) for ready in self._neighbour(each)]

    def finish(self) -> list[Segment]:
        """There are no more segments; return those that were held back."""
        for number in self._clock.exceeded:
            self.counts["exceeded", number] = 1
        return self._released()

    def summary(self) -> str:
        """What was done so far, for a header: ``dropped=2; repeats=1; replaced=5; chinese=t2s``."""
        sums: Counter[str] = Counter()
        for (rule, _), count in self.counts.items():
            sums[rule] += count
        chinese = self._cleaning.chinese
        parts = {
            "dropped": sums["known"] + sums["also"] + sums["no_speech"],
            "repeats": sums["repeats"],
            "replaced": sums["replace"],
            "chinese": chinese.name if chinese and sums["chinese"] else 0,
            "exceeded": sums["exceeded"],
        }
        return "; ".join(f"{name}={value}" for name, value in parts.items() if value)

    def _segment(self, segment: Segment) -> list[Segment]:
        """A segment with a clean text and clean words; empty if it is dropped."""
        clean = self._settled(segment.text, bool(segment.words))
        counts = clean.counts
        reason = self._cleaning.drop.reason(segment, clean.text) if self._cleaning.drop else None
        if reason:
            counts = Counter([reason])
        dropped = bool(reason) or bool(segment.text.strip() and not clean.text.strip())
        if counts:
            self.counts.update(counts)
        if self._trace and (dropped or clean.text != segment.text):
            after = None if dropped else clean.text
            self.changes.append(Change(segment.start_s, segment.text, after, tuple(sorted(counts))))
        if dropped:
            # The text of the whole recording is not dropped, as there is only one.
            return [attrs.evolve(segment, text="", words=[])] if segment.whole else []
        if clean.text == segment.text:
            return [segment]
        return [attrs.evolve(segment, text=clean.text, words=self._words(segment, clean))]

    def _words(self, segment: Segment, clean: _Text) -> list[Word]:
        if not segment.words or clean.counts.keys() <= {("trim", 0)}:
            return segment.words
        try:
            wording = Wording(segment.text, segment.words)
        except ValueError:
            # The text says it in another way than the words do.
            text = spelled(segment.words)
            clean = self._settled(text, True)
            wording = Wording(text, segment.words)
        for step in clean.steps:
            wording.edit(step)
        return wording.words()

    def _settled(self, text: str, divide: bool) -> _Text:
        """
        Apply the rules for texts until nothing changes.

        :param divide: whether the edits are to be small, because words follow them.
        """
        steps: list[Step] = []
        counts, now = _NONE, text
        for _ in range(MAX_PASSES):
            once = self._passed(now, divide)
            if once is None or once.text == now:
                return _Text(now, steps, counts)
            now = once.text
            steps += once.steps
            counts = counts + once.counts
        return _Text(text, (), Counter({("restless", 0): 1}))

    def _passed(self, text: str, divide: bool) -> _Text | None:
        """Apply the rules for texts once; None if no rule finds anything, as in most texts."""
        rules = self._cleaning
        steps: list[Step] = []
        acts: list[tuple[str, int]] = []
        if rules.chinese and (step := rules.chinese.edits(text, divide)):
            acts.append(("chinese", 0))
            steps.append(step)
            text = edited(text, step)
        for find in rules.replacing.steps if rules.replacing else ():
            if found := find(text, self._clock):
                acts += [("replace", each.number) for each in found]
                steps.append([each.edit for each in found])
                text = edited(text, steps[-1])
        if rules.repeats:
            edits, loops = repeats(text, rules.repeats)
            if edits:
                acts += [("repeats", 0)] * loops
                steps.append(edits)
                text = edited(text, edits)
        if rules.trim and (edits := _blanks(text)):
            acts.append(("trim", 0))
            steps.append(edits)
            text = edited(text, edits)
        return _Text(text, steps, Counter(acts)) if steps else None

    def _neighbour(self, segment: Segment) -> list[Segment]:
        """Take the next clean segment; return those that no rule can change any more."""
        least = self._cleaning.repeats
        if not least:
            return [segment]
        key = (fold(segment.text), segment.speaker)
        if segment.whole or not key[0]:
            return [*self._released(), segment]
        if key != self._key:
            released = self._released()
            self._key = key
            return [*released, segment]
        if self._looping:
            self._drop([segment])
            return []
        self._equal.append(segment)
        if is_loop(segment.text, 1 + len(self._equal), least):
            self._drop(self._equal)
            self._equal, self._looping = [], True
            self.counts["repeats", 0] += 1
        return []

    def _released(self) -> list[Segment]:
        """End the run of equal neighbours; return those that were held back."""
        released, self._equal, self._looping, self._key = self._equal, [], False, None
        return released

    def _drop(self, segments: Sequence[Segment]) -> None:
        if self._trace:
            self.changes += [Change(each.start_s, each.text, None, (("repeats", 0),)) for each in segments]


def _blanks(text: str) -> list[Edit]:
    """Edits that remove superfluous blanks: at both ends, before a comma or a full stop, and all but one elsewhere."""
    edits: list[Edit] = []
    if not _SUPERFLUOUS.search(text):
        return edits
    for match in _SPACES.finditer(text):
        start, end = match.span()
        follows = text[end : end + 2]
        if start == 0 or end == len(text) or (follows[:1] in (",", ".") and not follows[1:].strip()):
            new = ""
        elif "\n" in match.group():
            new = "\n"
        else:
            new = " " if end - start > 1 else match.group()
        if new != match.group():
            edits.append(Edit(start, end, new))
    return edits
