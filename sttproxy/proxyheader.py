"""
The header of the PROXY protocol, versions 1 and 2, with which a proxy names the client of a connection.

The specification is HAProxy's doc/proxy-protocol.txt.  This module only parses; it does no I/O.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv4Address, IPv6Address

import attrs

#: What a header of version 1 begins with.
LINE = b"PROXY "
#: What a header of version 2 begins with.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
#: The response to a header from a peer that may not send one.
REFUSED = "A PROXY header is accepted only from the peers that --proxy-protocol-from names."
#: Longest header of version 1, in bytes, with its CRLF.
MAX_LINE = 107

#: The signature, version and command, family and transport, and the length of what follows.
_FIXED = struct.Struct("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
#: The families with a transport that a header may name: the sizes of their addresses, in bytes.
_SIZES = {0x00: 0, 0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}
_TCP4, _TCP6 = 0x11, 0x21

_LINE_FORMAT = re.compile(rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) ([0-9]{1,5}) ([0-9]{1,5})")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: .*)?", re.DOTALL)


class BadHeader(ValueError):
    """The bytes are not a header of the PROXY protocol."""


@attrs.frozen
class ProxyHeader:
    """
    What a header says.

    :ivar length: of the header, in bytes; what follows is the client's.
    :ivar client: the address and the port of the client; None if the header names neither.
    :ivar local: the proxy itself has opened the connection, for a health check.
    """

    length: int
    client: tuple[str, int] | None = None
    local: bool = False


def parse_header(data: bytes) -> ProxyHeader | None:
    """
    Parse the header at the beginning of a connection; return None if more bytes are needed.

    :raises BadHeader: when the bytes are not the beginning of a header.
    """
    if data.startswith(SIGNATURE[: len(data)]):
        return _binary(data) if len(data) >= _FIXED.size else None
    if data.startswith(LINE[: len(data)]):
        return _text(data)
    raise BadHeader("its first bytes are not a PROXY header")


def _text(data: bytes) -> ProxyHeader | None:
    """A header of version 1."""
    line, end, _ = data[:MAX_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_LINE:
            raise BadHeader("the line is too long")
        return None
    length = len(line) + len(end)
    if _UNKNOWN.fullmatch(line):
        return ProxyHeader(length)
    found = _LINE_FORMAT.fullmatch(line)
    if found is None:
        raise BadHeader("the line is malformed")
    family, *ends, here, there = (part.decode() for part in found.groups())
    try:
        source, _ = map(IPv4Address if family == "TCP4" else IPv6Address, ends)
    except ValueError as error:
        raise BadHeader(str(error)) from None
    ports = int(here), int(there)
    if max(ports) > 65535:
        raise BadHeader("a port is too large")
    return ProxyHeader(length, (str(source), ports[0]))


def _binary(data: bytes) -> ProxyHeader | None:
    """A header of version 2, of which the fixed part is there."""
    _, command, family, size = _FIXED.unpack_from(data)
    length = _FIXED.size + size
    if command == _LOCAL:
        return ProxyHeader(length, local=True) if len(data) >= length else None
    if command != _PROXY:
        raise BadHeader(f"the version and command 0x{command:02x} are not known")
    if family not in _SIZES:
        raise BadHeader(f"the family and transport 0x{family:02x} are not known")
    if size < _SIZES[family]:
        raise BadHeader("it is too short for its addresses")
    if len(data) < length:
        return None
    # What follows the addresses are additional fields (TLVs), none of which concerns this proxy.
    if family == _TCP4:
        source, port = struct.unpack_from("!4s4xH", data, _FIXED.size)
        return ProxyHeader(length, (str(IPv4Address(source)), port))
    if family == _TCP6:
        source, port = struct.unpack_from("!16s16xH", data, _FIXED.size)
        return ProxyHeader(length, (str(IPv6Address(source)), port))
    return ProxyHeader(length)
