"""
Reader for ``$transcript``: the rules for the texts that come back.
"""

from __future__ import annotations

from typing import Any

from .. import jsontext
from .files import Files
from .members import Members, includes, within
from .rules import TranscriptRules

_ALSO = ("drop", "also")


def read_transcript(files: Files, member: jsontext.Member, where: str) -> TranscriptRules:
    """
    Read and compile the rules for transcripts.

    :param where: the path of the member within the file.
    :return: the rules that could be compiled; they count only if there are no errors.
    """
    # These imports are slow, and most configurations have no such rules.  Responses need the first one, and must not
    # wait for it.
    from ..transcripts import rendition  # noqa: F401
    from ..transcripts.compiling import AS_ASKED, compiled

    values = _plain(files, member.value, (), where)
    cleaning, faults = compiled(values)
    for fault in faults:
        at, path = _place(member, fault.path, fault.at_name, where)
        (files.warn if fault.warning else files.error)(fault.message, at, path)
    as_asked = isinstance(values, dict) and values.get("deliver") == AS_ASKED
    return TranscriptRules(values, cleaning, as_asked)


def _plain(files: Files, value: jsontext.Value, path: tuple[str | int, ...], where: str) -> Any:
    """
    A value as Python has it.

    In the list ``also``, an included text becomes the list of its phrases, and what is neither that nor a text None.
    """
    data = value.data
    if path[:-1] == _ALSO and not isinstance(data, str):
        return _included(files, value, where)
    if isinstance(data, jsontext.Object):
        return {
            each.key: _plain(files, each.value, (*path, each.key), within(where, each.key)) for each in data.members
        }
    if isinstance(data, tuple):
        return [_plain(files, item, (*path, index), f"{where}[{index}]") for index, item in enumerate(data)]
    if isinstance(data, jsontext.Number):
        number = float(data.literal)
        return int(number) if number.is_integer() else number
    return data


def _included(files: Files, value: jsontext.Value, where: str) -> list[str] | None:
    """The phrases in an included text; None if the value is something else."""
    from ..transcripts.compiling import phrases_in

    if not isinstance(value.data, jsontext.Object) or not includes(value.data):
        return None
    text = Members(files).included(value.data, value.start, where)
    return phrases_in(text.text) if text else []


def _place(member: jsontext.Member, path: tuple[str | int, ...], at_name: bool, where: str) -> tuple[int, str]:
    """
    The offset and the path within the file of a value, or of the name of a member.

    :param member: contains it.
    :param path: names and indices that lead to it.
    """
    value, name_at = member.value, member.key_at
    for step in path:
        data = value.data
        if isinstance(data, jsontext.Object):
            inner = next(each for each in data.members if each.key == step)
            value, name_at, where = inner.value, inner.key_at, within(where, inner.key)
        elif isinstance(data, tuple) and isinstance(step, int):
            value, where = data[step], f"{where}[{step}]"
    return name_at if at_name else value.start, where
