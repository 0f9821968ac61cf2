"""
Evaluation of the configured rules for the fields of one form.  It does not depend on the body format.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from urllib.parse import quote

from ..config import ALWAYS_DROPPED, MAX_VALUE, Field, Joined, Removed, Rules, Text
from ..errors import MalformedForm, shown
from .plans import DEPENDS, DROPPED, PASSES, Decision, Plan, Settled, plan_of
from .wishes import Wishes

#: What a rule may have done to a field, in the order of `Evaluation.summary`.
ACTS = ("forced", "defaulted", "mapped", "removed", "joined", "cut", "renamed")
FORCED, DEFAULTED, MAPPED, REMOVED, JOINED, CUT, RENAMED = ACTS

#: Most characters of a value that are shown for debugging.
_MAX_SHOWN = 200


class Evaluation:
    """
    The rules applied to one form; remembers which fields the client sent and what was done to them.

    :ivar rules: the rules to apply.
    :ivar file_bytes: of the files in the form, as far as they were read.
    :ivar wishes: what it asks of the response; None if no rule depends on it.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.file_bytes = 0
        self.wishes = Wishes(rules) if rules.transcript else None
        #: Forced fields that the client has sent, too.
        self._replaced: dict[str, None] = {}
        #: The client's value and the new one of each mapped field; the last ones if it is repeated.
        self._mapped: dict[str, tuple[bytes | None, str]] = {}
        self._sent: set[str] = set()
        self._done: dict[str, dict[str, None]] = {}
        #: The first field that ends under the new name of a rename, by the folded new name: the name that the client
        #: gave it, whether it was renamed, and whether it may be repeated.
        self._met: dict[str, tuple[str, bool, bool]] = {}

    def sent_as(self, name: str, lists: bool = True) -> str:
        """
        The name under which a client's field is sent.  Call it once for each field; the other methods need its result.

        :param lists: whether names may be repeated for the elements of a list.
        :raises MalformedForm: when `key` raises it, and when a renamed field and another one end under the same name,
            which may stand once.
        """
        if not self.rules.names_change:
            return name
        plan = self._plan(name)
        if plan.rename is not None:
            self._note(RENAMED, plan.rename.name)
        if plan.meets:
            self._meet(plan, name, lists and plan.repeats)
        return plan.sent_as

    def _meet(self, plan: Plan, name: str, repeats: bool) -> None:
        """
        Check a field that ends under the new name of a rename.

        :param repeats: whether the field may be repeated.
        :raises MalformedForm: when it may not stand beside the first one.
        """
        renamed = plan.rename is not None
        if plan.meets not in self._met:
            self._met[plan.meets] = name, renamed, repeats
            return
        first, first_renamed, first_repeats = self._met[plan.meets]
        if (renamed or first_renamed) and not (repeats and first_repeats):
            both = f"The fields {shown(first)} and {shown(name)} would both be sent as {shown(plan.sent_as)}"
            raise MalformedForm(f"{both}: send one of them.")

    def decide(self, name: str) -> Decision:
        """
        Decide about a client's field by its name, in any spelling.

        :raises MalformedForm: when `key` raises it, and when a field that is joined to a text comes twice.
        """
        plan = self._plan(name)
        if plan.decision is PASSES:
            if plan.default is not None:
                self._sent.add(plan.key)
        elif plan.forced:
            self._replaced[plan.forced] = None
        elif plan.removed:
            self._note(REMOVED, plan.removed)
        elif plan.joined is not None:
            if plan.key in self._sent:
                raise MalformedForm(f"The field {shown(name)} is sent twice: send it once.")
            self._sent.add(plan.key)
        return plan.decision

    def evaluate(self, name: str, value: Callable[[], bytes]) -> Settled:
        """
        Decide about a field whose value is complete.

        :param value: returns the field's value; it is called only where the decision depends on the value.
        :raises MalformedForm: when `decide` or `settle` raises it.
        """
        decision = self.decide(name)
        return self.settle(name, value()) if decision is DEPENDS else decision

    def settle(self, name: str, value: bytes | None, whole: bool = True) -> Settled:
        """
        Decide about a field by its value, after `decide` has returned `DEPENDS`.

        :param value: the value; None for a list or an object in a JSON body.
        :param whole: whether this is the whole value, and not only its first `MAX_VALUE` bytes.
        :return: `PASSES`, `DROPPED`, or a new value.
        :raises MalformedForm: when the value cannot be joined to a text.
        """
        plan = self._plan(name)
        settled = DROPPED if plan.forced or plan.removed else self._settled(plan, value, whole)
        if self.wishes is not None:
            self.wishes.add(plan.key, value, settled)
        return settled

    def _settled(self, plan: Plan, value: bytes | None, whole: bool) -> Settled:
        """As `settle`, for a field that is not forced."""
        if plan.joined is not None:
            return self._joined(plan.joined, value, whole)
        new: Text | None = None
        if plan.table is not None:
            found = plan.table.replacement(value, whole)
            if isinstance(found, Removed):
                self._note(REMOVED, plan.table.name)
                return DROPPED
            if found is not None:
                self._note(MAPPED, plan.table.name)
                self._mapped[plan.table.name] = value, found.text
                new = found
        if plan.default is not None:
            if plan.default.when_empty and (value == b"" if new is None else not new.text):
                return DROPPED
            self._sent.add(plan.key)
        return new or PASSES

    def joins(self, name: str) -> bool:
        """Whether the field is joined to a text, so that its value must be text in UTF-8."""
        return self._plan(name).joined is not None

    def _joined(self, rule: Joined, value: bytes | None, whole: bool) -> Text:
        """
        Join a client's value to the texts of a rule.

        :raises MalformedForm: when servers would read the value as something else than this text.
        """
        if value is None:
            raise _unjoinable(rule, "must be a text, not a list or an object")
        if not whole or len(value) > MAX_VALUE:
            raise _unjoinable(rule, f"is longer than {MAX_VALUE} bytes")
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise _unjoinable(rule, "is not UTF-8") from None
        if "\0" in text:
            # Some servers would end the value there, before the added text.
            raise _unjoinable(rule, "contains a NUL character")
        fitting = rule.fitting(text)
        self._note(JOINED, rule.name)
        if fitting != text:
            self._note(CUT, rule.name)
        return rule.to(fitting)

    def missing(self) -> list[Field]:
        """
        The fields that the proxy adds because the client did not send them.  Call it once, after all of the client's
        fields.
        """
        rules = self.rules
        fields = [default.field for key, default in rules.defaults_by_name.items() if key not in self._sent]
        for field in fields:
            if field.parts:
                self._note(DEFAULTED, field.name)
        if rules.joined:
            alone = [rule.alone for key, rule in rules.joined_by_name.items() if key not in self._sent]
            for field in alone:
                self._note(JOINED, field.name)
            fields = alone + fields
        return fields

    def governs(self, name: str) -> bool:
        """Whether a field outside the form, for example in the query, would bypass a rule."""
        key = self.key(name)
        rules = self.rules
        tables: tuple[Container[str], ...] = (rules.set_by_name, rules.maps_by_name, rules.renames_by_name)
        return key in ALWAYS_DROPPED or any(key in table for table in tables)

    def summary(self) -> str:
        """What was done so far, with the names of the fields, in ASCII: ``forced=language,prompt; mapped=model``."""
        return "; ".join(f"{act}={','.join(quote(name, safe='[]') for name in names)}" for act, names in self._acts())

    def fields(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """
        What was done so far, with the names of the fields: the pairs of `summary`, and ``replaced`` with those forced
        fields that the client had sent.
        """
        replaced = (("replaced", tuple(self._replaced)),) if self._replaced else ()
        return (*self._acts(), *replaced)

    def values(self) -> str:
        """What was done so far, with the values of the fields: for debugging, because values may be secret."""
        forced = [f"forced {_shown(field)}" for field in self.rules.forced if field.parts]
        mapped = [f"mapped {name}={_cut(value)} to {_cut(new)}" for name, (value, new) in self._mapped.items()]
        added = self._done.get(DEFAULTED, {})
        defaulted = [f"defaulted {_shown(default.field)}" for default in self.rules.defaults if default.name in added]
        removed = [f"removed {name}" for name in self._done.get(REMOVED, {})]
        others = [f"{act} {name}" for act in (JOINED, CUT, RENAMED) for name in self._done.get(act, ())]
        return "; ".join([*forced, *defaulted, *mapped, *removed, *others])

    def _acts(self) -> list[tuple[str, tuple[str, ...]]]:
        """What was done so far: an act, and the names of the fields."""
        forced = self.rules.forced_names
        acts = [(FORCED, forced)] if forced else []
        if self._done:
            acts += [(act, tuple(self._done[act])) for act in ACTS if act in self._done]
        return acts

    def _note(self, act: str, name: str) -> None:
        self._done.setdefault(act, {})[name] = None

    def key(self, name: str) -> str:
        """
        The folded name under which the rules for a client's field are stored.

        :raises MalformedForm: when the name contains a control character; some parsers would truncate the name there.
        """
        return self._plan(name).key

    def _plan(self, name: str) -> Plan:
        """
        What the rules say of a client's field by its name.

        :raises MalformedForm: when `key` raises it.
        """
        return self.rules.plans.get(name) or plan_of(self.rules, name)


def _unjoinable(rule: Joined, reason: str) -> MalformedForm:
    """The error for a client's value that cannot be joined to the texts of a rule."""
    return MalformedForm(f"The value of {shown(rule.name)}, to which the proxy adds a text, {reason}.")


def _shown(field: Field) -> str:
    """A field with its values."""
    return ", ".join(f"{name}={_cut(value)}" for name, value in field.parts)


def _cut(value: str | bytes | None) -> str:
    """A value in quotes, of limited length; None is longer than that."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    if text is None:
        return "…"
    return repr(text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…")
