"""
Reader for ``$choose``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from .. import jsontext
from ..peers import UNIX, Trusted
from .choice import Choice, HeaderPattern
from .files import Files
from .keys import KEY_NEEDED, digest_of
from .members import Members, within
from .names import names_of
from .paths import ending, read_path

_CONDITIONS = ("header", "address", "path", "key")
_IN_CHOICE = (*_CONDITIONS, "profile")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\0-\x08\x0a-\x1f\x7f]")
_EXAMPLE = '{"User-Agent": "OpenWebUI*"}'


class Choosing:
    """
    Reads ``$choose``.

    The parameter `where` of its methods is the path of a value within the file: ``$.choose[0].header``.  They return
    nothing for what cannot be used, and add the errors to the `Files`.
    """

    def __init__(self, files: Files, profiles: Collection[str], ruled: Sequence[str]) -> None:
        """
        :param files: has the document and collects the errors.
        :param profiles: the names of the profiles.
        :param ruled: the paths that have rules.
        """
        self._files = files
        self._members = Members(files)
        self._profiles = profiles
        self._ruled = ruled

    def choices(self, value: jsontext.Value) -> tuple[Choice, ...]:
        """Read the whole section, and warn of choices that earlier ones make unreachable."""
        if not isinstance(value.data, tuple):
            message = f'this must be a list of choices, like [{{"header": {_EXAMPLE}, "profile": "webui"}}]'
            self._files.error(message, value.start, "$.choose")
            return ()
        found: dict[str, Choice] = {}
        for number, item in enumerate(value.data):
            where = f"$.choose[{number}]"
            choice = self._choice(item, where)
            if choice is None:
                continue
            covering = next((place for place, earlier in found.items() if earlier.covers(choice)), "")
            if covering:
                message = f"this never chooses, because {covering} ({found[covering]}) fits all these requests"
                self._files.warn(message, item.start, where)
            found[where] = choice
        return tuple(found.values())

    def _choice(self, item: jsontext.Value, where: str) -> Choice | None:
        body = self._members.object(item, where, "conditions and the profile that they choose")
        if body is None:
            return None
        known = self._are_known(body, where)
        inner = {member.key: member.value for member in body.members}
        if known and not inner.keys() & set(_CONDITIONS):
            conditions = f"{', '.join(_CONDITIONS[:-1])} or {_CONDITIONS[-1]}"
            message = f"a choice needs a condition: {conditions}; --profile sets the profile of all other requests"
            self._files.error(message, item.start, where)
        profile = self._profile(inner.get("profile"), item.start, where)
        headers = self._headers(inner["header"], f"{where}.header") if "header" in inner else ()
        network = self._network(inner["address"], f"{where}.address") if "address" in inner else None
        path = self._path(inner["path"], f"{where}.path") if "path" in inner else ""
        key = self._key(inner["key"], f"{where}.key") if "key" in inner else ""
        conditions_read = dict(zip(_CONDITIONS, (headers, network, path, key), strict=True))
        wanted = [conditions_read[name] for name in _CONDITIONS if name in inner]
        usable = known and profile is not None and wanted and all(wanted)
        return Choice(profile or "", headers, network, path, key) if usable else None

    def _are_known(self, body: jsontext.Object, where: str) -> bool:
        """Whether all members of a choice are known."""
        unknown = [member for member in body.members if member.key not in _IN_CHOICE]
        for member in unknown:
            close = difflib.get_close_matches(member.key, _IN_CHOICE, 1, 0.5)
            hint = f"; did you mean {close[0]}?" if close else ""
            message = f"{member.key!r} is not known: the members of a choice are {', '.join(_IN_CHOICE)}{hint}"
            self._files.error(message, member.key_at, within(where, member.key))
        return not unknown

    def _profile(self, value: jsontext.Value | None, at: int, where: str) -> str | None:
        """
        The profile of a choice; None if it cannot be used.

        :param at: the offset of the choice, for the error if it has no profile.
        """
        name = None
        if value is not None:
            name, at, where = value.data, value.start, f"{where}.profile"
        if isinstance(name, str) and (not name or name in self._profiles):
            return name
        problem = f"there is no profile {name[:80]!r}" if isinstance(name, str) else 'a choice needs a "profile"'
        self._files.error(f'{problem}; {names_of(self._profiles)}, or "" for none', at, where)
        return None

    def _headers(self, value: jsontext.Value, where: str) -> tuple[HeaderPattern, ...]:
        """Patterns by the names of headers; empty if one of them cannot be used."""
        found: dict[str, HeaderPattern] = {}
        body = self._members.object(value, where, f"patterns by the names of headers, like {_EXAMPLE}")
        faulty = body is None
        if body is not None and not body.members:
            self._files.error(f"this needs a header, like {_EXAMPLE}", value.start, where)
        for member in body.members if body else ():
            name, pattern, path = member.key, member.value.data, within(where, member.key)
            fault = _fault_of_header(name)
            if not fault and name.lower() in found:
                fault = f"{name!r} and {found[name.lower()].name!r} are the same header"
            if fault:
                self._files.error(fault, member.key_at, path)
            wrong = _fault_of_pattern(pattern)
            if wrong:
                self._files.error(wrong, member.value.start, path)
            faulty = faulty or bool(fault or wrong)
            found[name.lower()] = HeaderPattern(name, str(pattern))
        return () if faulty else tuple(found.values())

    def _network(self, value: jsontext.Value, where: str) -> Trusted | None:
        text = value.data
        problem = "this must be"
        meant = ""
        if text == UNIX:
            return UNIX
        if isinstance(text, str):
            try:
                return _unmapped(ip_network(text))
            except ValueError:
                problem, meant = f"{text[:80]!r} is not", _network_meant(text)
        known = f"an address like 192.168.1.7, a network like 192.168.1.0/24, or {UNIX!r} for clients on Unix sockets"
        self._files.error(f"{problem} {known}{meant}", value.start, where)
        return None

    def _path(self, value: jsontext.Value, where: str) -> str:
        """A path that has rules; empty if it has none or cannot be used."""
        path = read_path(self._files, value, where)
        if path and not ending(path, self._ruled):
            message = f"{path} has no rules that a profile could change; add it to $paths, or use one of "
            self._files.error(message + ", ".join(self._ruled), value.start, where)
            return ""
        return path

    def _key(self, value: jsontext.Value, where: str) -> str:
        digest = digest_of(value.data) if isinstance(value.data, str) else ""
        if not digest:
            self._files.error(KEY_NEEDED, value.start, where)
        return digest


def _fault_of_header(name: str) -> str:
    """Why a header cannot be a condition, as a message; empty if it can."""
    if not _TOKEN.fullmatch(name):
        return f"{name!r} is not the name of a header: it may have letters, digits and '-', but no spaces and no ':'"
    if name.lower() == "authorization":
        return 'an API key must not be in the configuration; use "key" with the key\'s SHA-256'
    return ""


def _fault_of_pattern(pattern: object) -> str:
    """Why a value cannot be a pattern, as a message; empty if it can."""
    if not isinstance(pattern, str):
        return "this must be a text, in which '*' stands for any characters"
    if not pattern:
        return "an empty pattern matches only a header without a value; '*' matches all values"
    if pattern != pattern.strip(" \t") or _CONTROL.search(pattern):
        return "this matches nothing, because a header's value has no outer white space and no control characters"
    return ""


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """A network of IPv4-mapped addresses as the IPv4 network, because clients are known by the IPv4 address."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def _network_meant(text: str) -> str:
    """The end of a message about a text that is not a network: the network that is probably meant."""
    try:
        return f"; did you mean {ip_network(text.strip().strip('[]'), strict=False)}?"
    except ValueError:
        return ""
