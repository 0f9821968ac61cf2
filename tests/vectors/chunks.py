"""
Vectors in the chunked coding: sizes, extensions, line breaks and trailers that servers read differently.
"""

from __future__ import annotations

from .stream import SMUGGLED, TE, broken, passes, post

#: Chunks that servers read differently.
STREAMS = (
    passes("zeros before a size", "an empty chunk to some", post(TE, body=b"00005\r\nhello\r\n0000\r\n\r\n"), b"hello"),
    passes(
        "a size in capitals",
        "hexadecimal digits have no case",
        post(TE, body=b"A\r\nhellohello\r\n0\r\n\r\n"),
        b"hellohello",
    ),
    passes(
        "an extension with a request",
        "it is no line of its own",
        post(TE, body=b'5;a="GET /smuggled HTTP/1.1"\r\nhello\r\n0\r\n\r\n'),
        b"hello",
    ),
    passes(
        "a trailer with a request",
        "it is no request",
        post(TE, body=b"5\r\nhello\r\n0\r\nX: GET /smuggled HTTP/1.1\r\n\r\n"),
        b"hello",
    ),
    passes(
        "a trailer with a Host",
        "merged into the head by some",
        post(TE, body=b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n"),
        b"hello",
    ),
    broken("a size behind a blank", "skipped by some", b" 5\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("a blank behind a size", "skipped by some", b"5 \r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("0x before a size", "0 to some: the end", b"0x24\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    broken("an underscore in a size", "Python reads it", b"2_4\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    broken("a sign before a size", "number readers take it", b"+24\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    broken("a negative size", "number readers take it", b"-1\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    broken(
        "a size past 64 bits",
        "cut to its last digits by some",
        b"1000000000000000000000005\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    ),
    broken("a size that overflows 32 bits", "5 to some", b"100000000000000000005\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("an empty size", "0 to some: the end", b"\r\n\r\n" + SMUGGLED),
    broken("LF behind a size", "a line break to some", b"5\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("LF behind the data", "a line break to some", b"5\r\nhello\n0\r\n\r\n" + SMUGGLED),
    broken("LF in an extension", "the end of the line to some (TERM.EXT)", b"5;\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("CR in an extension", "the end of the line to some", b"5;a\rb\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("LF behind the last size", "the end to some", b"0\n\r\n" + SMUGGLED),
    broken("LF for the last line", "the end to some", b"0\r\n\n" + SMUGGLED),
    broken("CR for the last line", "the end to some", b"0\r\n\r" + SMUGGLED),
    broken(
        "two bytes more than said", "skipped without a look by some (SPILL.TERM)", b"5\r\nhelloXX0\r\n\r\n" + SMUGGLED
    ),
    broken("one byte less than said", "its CRLF is data", b"6\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    broken("no line break behind the data", "not needed by some", b"5\r\nhello0\r\n\r\n" + SMUGGLED),
    broken("a trailer that ends in LF", "the end to some", b"0\r\nX: y\n\n" + SMUGGLED),
    broken("a request for a trailer", "a line that is no field", b"0\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"),
    broken(
        "a length for a trailer",
        "merged into the head by some",
        b"5\r\nhello\r\n0\r\nContent-Length: 40\r\n\r\n" + SMUGGLED,
    ),
    broken(
        "a coding for a trailer", "merged into the head by some", b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED
    ),
    broken("a folded trailer", "a field or two", b"0\r\nX: y\r\n GET /smuggled HTTP/1.1\r\n\r\n"),
)
