"""
Vectors in lines, hosts, upgrades and expectations, and in sequences of requests on one connection.
"""

from __future__ import annotations

from .framing import AFTER_CHUNKS
from .stream import CL5, OK, SMUGGLED, TE, Stream, length, passes, post, refused
from .vector import MULTIPART, OTHER, form

#: Heads with different line ends.
LINES = (
    refused("bare LF", "line breaks to most", post(CL5, body=b"hello").replace(b"\r\n", b"\n") + SMUGGLED),
    refused("a head that ends in LF LF", "the end to some", b"GET /a HTTP/1.1\r\nHost: h\n\n" + SMUGGLED),
    refused("a head that ends in LF CR LF", "the end to some", b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\n\r\n" + SMUGGLED),
    refused(
        "a request in a folded line",
        "a field's value, or a request",
        b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n GET /smuggled HTTP/1.1\r\n\r\n",
    ),
    refused(
        "a request behind a bare CR",
        "a field's value, or a request",
        b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\r" + SMUGGLED,
    ),
    refused("NUL in a head", "the end to some", b"GET /a HTTP/1.1\r\nHost: h\r\nX: y\0\r\n\r\n" + SMUGGLED),
    refused("a colon before the request line", "skipped by some", b":\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
    refused("a field before the request line", "skipped by some", b"Host: h\r\n" + SMUGGLED),
    Stream(
        "empty lines before the request line",
        "skipped by those who know RFC 9112 §2.2",
        b"\r\n\r\n" + SMUGGLED,
        ((b"GET", b"/smuggled", b""),),
        (OK,),
        True,
    ),
    refused("a blank line before the request line", "skipped by some", b" \r\n" + SMUGGLED),
    refused("a line of LF before the request line", "skipped by some", b"\n" + SMUGGLED),
    refused("HTTP/0.9", "an answer without a head", b"GET /a\r\n" + SMUGGLED),
    refused(
        "a version of its own in the target",
        "the last word counts, or the third",
        b"GET /a HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED,
    ),
    refused("HTTP/1.2", "treated as 1.1 by some", b"GET /a HTTP/1.2\r\nHost: h\r\n\r\n" + SMUGGLED, 505),
    refused("HTTP/2", "a preface that is none", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", 505),
)

#: Target and host of a request.
HOSTS = (
    refused("two Hosts", "the first or the last", b"GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n" + SMUGGLED),
    refused(
        "a Host in absolute form and two below",
        "the first or the last",
        b"GET http://h/a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n" + SMUGGLED,
    ),
    refused(
        "a Host behind a blank",
        "a field of its own, or folded",
        b"GET /a HTTP/1.1\r\n Host: h\r\nHost: i\r\n\r\n" + SMUGGLED,
    ),
    refused(
        "a Host with a line break's escape and a path",
        "paths have no place there",
        b"GET /a HTTP/1.1\r\nHost: h/x\r\n\r\n" + SMUGGLED,
    ),
    refused(
        "user information", "what is before the at sign", b"GET http://h@i/a HTTP/1.1\r\nHost: i\r\n\r\n" + SMUGGLED
    ),
    refused(
        "another scheme", "an open proxy would go there", b"GET gopher://h/a HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED
    ),
    refused(
        "a target without a slash",
        "put behind the host it is another host",
        b"GET @i/a HTTP/1.1\r\nHost: h\r\n\r\n" + SMUGGLED,
    ),
    Stream(
        "absolute form",
        "its host counts, and goes on as Host",
        b"GET http://h/a HTTP/1.1\r\nHost: other\r\n\r\n",
        ((b"GET", b"/a", b""),),
        (OK,),
        True,
    ),
)

#: Upgrades, and 100 Continue.
SWITCHES = (
    passes(
        "an upgrade to h2c",
        "an upstream that took it would hear the next requests alone",
        post(
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAAQAAP__",
            CL5,
            body=b"hello",
        ),
        b"hello",
    ),
    passes(
        "an upgrade to h2c without Connection", "not asked for", post(b"Upgrade: h2c", CL5, body=b"hello"), b"hello"
    ),
    passes(
        "an upgrade with a body",
        "the body is not the other protocol",
        post(b"Connection: upgrade", b"Upgrade: websocket", CL5, body=b"hello"),
        b"hello",
    ),
    Stream(
        "an upgrade that is not taken",
        "what follows is a request like any other",
        b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + SMUGGLED,
        ((b"GET", b"/a", b""), (b"GET", b"/smuggled", b"")),
        (OK, OK),
        True,
    ),
    Stream(
        "Expect and its body at once",
        "a server that answers 100 does not take the body for a request",
        post(b"Expect: 100-continue", length(SMUGGLED), body=SMUGGLED),
        ((b"POST", b"/a", SMUGGLED),),
        (OK,),
        True,
    ),
    refused(
        "another expectation",
        "ignored by some, which then read the body",
        post(b"Expect: 100-continue2", length(SMUGGLED), body=SMUGGLED),
        417,
    ),
    refused(
        "an expectation and a fold",
        "obs-fold hides it",
        post(b"Expect:\r\n 100-continue", length(SMUGGLED), body=SMUGGLED),
    ),
    Stream(
        "Expect in HTTP/1.0",
        "there is no such thing",
        post(b"Expect: 100-continue", CL5, b"Connection: keep-alive", body=b"hello", version=b"HTTP/1.0"),
        ((b"POST", b"/a", b"hello"),),
        (OK,),
        True,
    ),
    Stream(
        "Expect without a body",
        "nothing to wait for",
        b"GET /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n" + SMUGGLED,
        ((b"GET", b"/a", b""), (b"GET", b"/smuggled", b"")),
        (OK, OK),
        True,
    ),
)

_FORM = form(OTHER)
_TRANSCRIPTION = b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: h\r\nContent-Type: " + MULTIPART + b"\r\n"
#: Several requests on one connection.
PIPELINES = (
    Stream(
        "three requests",
        "nothing odd",
        post(CL5, body=b"hello") + SMUGGLED + post(TE, body=b"5\r\nhello\r\n0\r\n\r\n"),
        ((b"POST", b"/a", b"hello"), (b"GET", b"/smuggled", b""), (b"POST", b"/a", b"hello")),
        (OK, OK, OK),
        True,
    ),
    Stream(
        "a request behind close",
        "it is not answered any more",
        b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + SMUGGLED,
        ((b"GET", b"/a", b""),),
        (OK,),
    ),
    Stream(
        "a request behind one of HTTP/1.0",
        "it is not answered any more",
        b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n" + SMUGGLED,
        ((b"GET", b"/a", b""),),
        (OK,),
    ),
    Stream(
        "a refused request behind a good one",
        "the good one is answered",
        post(CL5, body=b"hello") + post(CL5, TE, body=AFTER_CHUNKS),
        ((b"POST", b"/a", b"hello"),),
        (OK, 400),
    ),
    Stream(
        "a request behind an odd path",
        "the body of what is refused is no request",
        b"POST /V1/AUDIO/TRANSCRIPTIONS HTTP/1.1\r\nHost: h\r\n" + length(SMUGGLED) + b"\r\n\r\n" + SMUGGLED[:-1],
        (),
        (400,),
    ),
    Stream(
        "a request in a form",
        "a part of the form",
        _TRANSCRIPTION + length(form(OTHER + SMUGGLED)) + b"\r\n\r\n" + form(OTHER + SMUGGLED),
        ((b"POST", b"/v1/audio/transcriptions", b"*"),),
        (OK,),
        True,
    ),
    Stream(
        "a request in a form's epilogue",
        "it goes on as blanks",
        _TRANSCRIPTION + length(_FORM + SMUGGLED) + b"\r\n\r\n" + _FORM + SMUGGLED,
        ((b"POST", b"/v1/audio/transcriptions", b"*"),),
        (OK,),
        True,
    ),
    Stream(
        "a request behind a form",
        "the next request",
        _TRANSCRIPTION + length(_FORM) + b"\r\n\r\n" + _FORM + SMUGGLED,
        ((b"POST", b"/v1/audio/transcriptions", b"*"), (b"GET", b"/smuggled", b"")),
        (OK, OK),
        True,
    ),
    Stream(
        "a request behind a form cut off by its length",
        "the rest of the form is no request either",
        _TRANSCRIPTION + b"Content-Length: %d" % (len(_FORM) - 9) + b"\r\n\r\n" + _FORM + SMUGGLED,
        (),
        (400, 400),
    ),
    Stream(
        "a form of both framings",
        "the length or the chunks",
        _TRANSCRIPTION + length(_FORM) + b"\r\n" + TE + b"\r\n\r\n" + _FORM + SMUGGLED,
        (),
        (400,),
    ),
    Stream(
        "a form whose chunks break",
        "the rest is no request",
        _TRANSCRIPTION + TE + b"\r\n\r\n%x\r\n%b\r\n0\n\r\n" % (len(_FORM), _FORM) + SMUGGLED,
        (),
        (400,),
    ),
)

STREAMS = (*LINES, *HOSTS, *SWITCHES, *PIPELINES)
