"""
Tests for :mod:`sttproxy.proxyheader`.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.proxyheader import MAX_LINE, SIGNATURE, BadHeader, ProxyHeader, parse_header

TCP4 = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n"
TCP6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n"


def binary(family: int, addresses: bytes, command: int = 0x21, more: bytes = b"") -> bytes:
    """A header of version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses + more)) + addresses + more


def ends(source: str, port: int = 56324) -> bytes:
    """The addresses of a connection."""
    packed = ip_address(source).packed
    return packed + bytes(len(packed)) + struct.pack("!HH", port, 443)


CLIENT4, CLIENT6 = ("192.0.2.7", 56324), ("2001:db8::7", 56324)
#: Additional fields: an ALPN, an authority, and one without an end.
TLVS = b"\x01\x00\x02h2\x02\x00\x03abc\xee\xff\xff"

HEADERS = (
    (TCP4, CLIENT4, False),
    (TCP6, CLIENT6, False),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", ("::ffff:c000:207", 1), False),
    (b"PROXY UNKNOWN\r\n", None, False),
    (b"PROXY UNKNOWN ffff::1 \xff what\r\n", None, False),
    (binary(0x11, ends("192.0.2.7")), CLIENT4, False),
    (binary(0x11, ends("192.0.2.7"), more=TLVS), CLIENT4, False),
    (binary(0x21, ends("2001:db8::7"), more=TLVS), CLIENT6, False),
    (binary(0x31, b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")), None, False),
    (binary(0x00, b""), None, False),
    (binary(0x00, TLVS), None, False),
    (binary(0x12, ends("192.0.2.7")), None, False),
    (binary(0x00, b"", command=0x20), None, True),
    (binary(0x11, ends("192.0.2.7"), command=0x20, more=TLVS), None, True),
    (binary(0xFF, b"any", command=0x20), None, True),
    (binary(0x00, bytes(65535)), None, False),
)

BAD = (
    b"G",
    b"GET / HTTP/1.1\r\n",
    b"proxy TCP4",
    b"PROXX",
    b"\r\n\r\n\0\r\nQUIX",
    b"\x16\x03\x01",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 56324\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443 \r\n",
    b"PROXY  TCP4 192.0.2.7 10.0.0.1 56324 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 70000\r\n",
    b"PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7.1 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0 1 2\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n",
    b"PROXY TCP4 -1 10.0.0.1 1 2\r\n",
    b"PROXY UNKNOWNS\r\n",
    b"PROXY \r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n".ljust(MAX_LINE, b"x"),
    b"PROXY UNKNOWN ".ljust(MAX_LINE, b"x") + b"\r\n",
    binary(0x11, ends("192.0.2.7"), command=0x11),
    binary(0x11, ends("192.0.2.7"), command=0x22),
    binary(0x41, ends("192.0.2.7")),
    binary(0x13, ends("192.0.2.7")),
    binary(0x11, ends("192.0.2.7")[:-1]),
    binary(0x21, ends("192.0.2.7")),
    binary(0x31, bytes(215)),
)


class HeaderTests(SynchronousTestCase):
    """Headers of both versions."""

    def test_accepted(self) -> None:
        """What a header says, whatever follows it."""
        for header, client, local in HEADERS:
            for rest in (b"", b"\0", TCP4, b"GET / HTTP/1.1\r\n\r\n"):
                self.assertEqual(parse_header(header + rest), ProxyHeader(len(header), client, local), header)

    def test_partial(self) -> None:
        """Each part of a header asks for more."""
        for header, _, _ in HEADERS:
            for length in {*range(min(len(header), 300)), len(header) - 1}:
                self.assertIsNone(parse_header(header[:length]), header[:length])

    def test_refused(self) -> None:
        """What is malformed, or unknown, is refused."""
        for data in BAD:
            self.assertRaises(BadHeader, parse_header, data)

    @given(st.binary(max_size=60), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21"]))
    def test_any(self, data: bytes, beginning: bytes) -> None:
        """Any bytes are a header, the beginning of one, or refused."""
        try:
            header = parse_header(beginning + data)
        except BadHeader:
            return
        self.assertTrue(header is None or header.length <= len(beginning + data))
