"""
Vectors in the framing fields of a request: both, hidden, ambiguous, or none.
"""

from __future__ import annotations

import attrs

from .stream import CL5, OK, SMUGGLED, TE, Stream, length, post, refused

#: The last chunk, and bytes that a server which uses the length takes for more of the body.
AFTER_CHUNKS = b"0\r\n\r\n" + SMUGGLED
_CL_BODY = b"6\r\nprefix\r\n0\r\n\r\n" + SMUGGLED

#: Both framings at once.
BOTH = (
    refused(
        "CL.TE",
        "the first goes by the length, the second by the chunks",
        post(length(AFTER_CHUNKS), TE, body=AFTER_CHUNKS),
    ),
    refused(
        "CL.TE, the coding first", "the same in the other order", post(TE, length(AFTER_CHUNKS), body=AFTER_CHUNKS)
    ),
    refused(
        "TE.CL",
        "the first goes by the chunks, the second by the length",
        post(b"Content-Length: 4", TE, body=b"5c\r\n" + SMUGGLED + b"0\r\n\r\n"),
    ),
    refused(
        "TE and no length at all", "Content-Length: 0 beside chunks", post(b"Content-Length: 0", TE, body=AFTER_CHUNKS)
    ),
    refused(
        "CL.TE behind a GET",
        "the same where a body is unusual",
        post(length(AFTER_CHUNKS), TE, body=AFTER_CHUNKS).replace(b"POST", b"GET", 1),
    ),
    refused(
        "CL.TE in HTTP/1.0",
        "the coding is ignored there by some",
        post(length(AFTER_CHUNKS), TE, body=AFTER_CHUNKS, version=b"HTTP/1.0"),
    ),
    refused(
        "TE in HTTP/1.0",
        "the body goes up to the end, or by the chunks",
        post(TE, body=AFTER_CHUNKS, version=b"HTTP/1.0"),
    ),
    refused(
        "TE in HTTP/1.0 kept alive",
        "the same",
        post(TE, b"Connection: keep-alive", body=AFTER_CHUNKS, version=b"HTTP/1.0"),
    ),
    refused(
        "a coding that Connection names",
        "a hop that obeys takes it off",
        post(length(AFTER_CHUNKS), b"Connection: Transfer-Encoding", TE, body=AFTER_CHUNKS),
    ),
    Stream(
        "a length that Connection names",
        "a hop that obeys takes it off: 0 bytes for the next",
        post(length(SMUGGLED), b"Connection: Content-Length", body=SMUGGLED),
        ((b"POST", b"/a", SMUGGLED),),
        (OK,),
        True,
    ),
    Stream(
        "a Host that Connection names",
        "a hop that obeys takes it off",
        post(CL5, b"Connection: host", body=b"hello"),
        ((b"POST", b"/a", b"hello"),),
        (OK,),
        True,
    ),
)

#: A transfer coding that only one of two servers recognises.
_HIDDEN = {
    "a blank before the colon": b"Transfer-Encoding : chunked",
    "a tab before the colon": b"Transfer-Encoding\t: chunked",
    "a vertical tab before the value": b"Transfer-Encoding:\x0bchunked",
    "a form feed behind the value": b"Transfer-Encoding: chunked\x0c",
    "NUL in the name": b"Transfer-Encoding\0: chunked",
    "a byte beyond ASCII behind the name": b"Transfer-Encoding\xa0: chunked",
    "an underscore": b"Transfer_Encoding: chunked",
    "a blank in the name": b"Transfer Encoding: chunked",
    "a blank before the name": b" Transfer-Encoding: chunked",
    "a line before, folded": b"X: y\r\n Transfer-Encoding: chunked",
    "a value on the next line": b"Transfer-Encoding:\r\n chunked",
    "a bare CR before": b"X: y\rTransfer-Encoding: chunked",
    "a bare LF before": b"X: y\nTransfer-Encoding: chunked",
    "an empty line of LF before": b"X: y\r\n\nTransfer-Encoding: chunked",
    "quotes": b'Transfer-Encoding: "chunked"',
    "another word": b"Transfer-Encoding: xchunked",
    "a parameter": b"Transfer-Encoding: chunked;q=0",
    "identity": b"Transfer-Encoding: identity",
    "chunked not last": b"Transfer-Encoding: chunked, identity",
    "cow": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "a lone comma": b"Transfer-Encoding: ,chunked",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-encoding: chunked",
    "no value": b"Transfer-Encoding:",
}
HIDDEN = tuple(
    refused(
        f"TE.TE: {name}",
        "one server sees a coding, the other the length",
        post(length(AFTER_CHUNKS), line, body=AFTER_CHUNKS),
    )
    for name, line in _HIDDEN.items()
)
#: The same without a length: a chunked body to one server, no body to the other.
ALONE = tuple(
    attrs.evolve(
        refused(f"0.TE: {name}", "one server sees chunks, the other no body", post(line, body=_CL_BODY)),
        statuses=statuses,
    )
    for name, line, statuses in (
        ("a blank before the colon", _HIDDEN["a blank before the colon"], (400,)),
        ("an underscore", _HIDDEN["an underscore"], (400,)),
        ("a vertical tab", _HIDDEN["a vertical tab before the value"], (400,)),
        ("gzip before", b"Transfer-Encoding: gzip, chunked", (501,)),
        ("gzip before, in two lines", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", (501,)),
    )
)

#: Lengths that servers read differently.
LENGTHS = tuple(
    refused(f"CL.CL: {name}", "the first or the last, or another number", post(*lines, body=b"hello" + SMUGGLED))
    for name, lines in {
        "two": (CL5, length(b"hello" + SMUGGLED)),
        "two in a line": (b"Content-Length: 5, %d" % len(b"hello" + SMUGGLED),),
        "the same in a line": (b"Content-Length: 5,5",),
        "one behind a bare CR": (b"X: y\rContent-Length: 0", CL5),
        "one folded": (CL5, b"X: y\r\n Content-Length: 40"),
        "a plus sign": (b"Content-Length: +5",),
        "a minus sign": (b"Content-Length: -0",),
        "hexadecimal": (b"Content-Length: 0x28",),
        "an underscore": (b"Content-Length: 4_0",),
        "a blank inside": (b"Content-Length: 4 0",),
        "a vertical tab": (b"Content-Length: \x0b5",),
        "a point": (b"Content-Length: 5.0",),
        "letters behind": (b"Content-Length: 5a",),
        "a blank before the colon": (b"Content-Length : 5",),
        "an underscore in the name": (b"Content_Length: 40", CL5),
        "past 64 bits": (b"Content-Length: 18446744073709551621",),
        "other digits": ("Content-Length: \u0665".encode(),),
    }.items()
)

#: A missing body where one is announced, and an unannounced body.
NONE = (
    Stream(
        "CL.0",
        "a server that does not read the body of a page takes it for a request",
        post(length(SMUGGLED), body=SMUGGLED),
        ((b"POST", b"/a", SMUGGLED),),
        (OK,),
        True,
    ),
    Stream(
        "CL.0 behind a GET",
        "a server that reads no body of a GET",
        post(length(SMUGGLED), body=SMUGGLED).replace(b"POST", b"GET", 1),
        ((b"GET", b"/a", SMUGGLED),),
        (OK,),
        True,
    ),
    Stream(
        "CL.0 to a page of the proxy's own",
        "it is answered before its body is read; the body is no request",
        b"GET /health HTTP/1.1\r\nHost: h\r\n" + length(SMUGGLED) + b"\r\n\r\n" + SMUGGLED[:-1],
        (),
        (OK,),
    ),
    Stream(
        "TE.0 to a page of the proxy's own",
        "the same in chunks",
        b"GET /stats HTTP/1.1\r\nHost: h\r\n" + TE + b"\r\n\r\n24\r\n" + SMUGGLED,
        (),
        (OK,),
    ),
    Stream(
        "CL.0 in HEAD",
        "a server that reads no body of a HEAD",
        post(length(SMUGGLED), body=SMUGGLED).replace(b"POST", b"HEAD", 1),
        ((b"HEAD", b"/a", SMUGGLED),),
        (OK,),
        True,
    ),
    Stream(
        "0.CL",
        "a length of 0, and what follows is a request",
        post(b"Content-Length: 0", body=SMUGGLED),
        ((b"POST", b"/a", b""), (b"GET", b"/smuggled", b"")),
        (OK, OK),
        True,
    ),
    Stream(
        "no length in a POST",
        "up to the end to some; there is none",
        post(body=SMUGGLED),
        ((b"POST", b"/a", b""), (b"GET", b"/smuggled", b"")),
        (OK, OK),
        True,
    ),
    refused(
        "a method that servers do not send bodies with",
        "TRACE must not have one; CONNECT ends HTTP",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED,
        501,
    ),
    refused(
        "CONNECT with a length",
        "a tunnel, or a body",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n" + length(SMUGGLED) + b"\r\n\r\n" + SMUGGLED,
        501,
    ),
    refused("CONNECT to a path", "a tunnel, or a request", b"CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED, 501),
)

STREAMS = (*BOTH, *HIDDEN, *ALONE, *LENGTHS, *NONE)
