"""
Vectors in the request line: targets that are transcriptions, that may be, and that are not.

A transcription is rewritten, so each row sends a form with a ruled field.  Either the field is removed, or the
request is refused, or no upstream reads the target as a transcription and all fields pass.
"""

from __future__ import annotations

import attrs

from .vector import OTHER, PATH, PROMPT, Passes, Reads, Refused, Vector, Verdict, form, text

_REWRITTEN = Reads((text("other"),))
_ODD = Refused(400, "detour")


def row(target: bytes, reason: str, verdict: Verdict, method: bytes = b"POST") -> Vector:
    """A form sent to a target."""
    name = f"{method.decode()} {target.decode('ascii', 'backslashreplace')}"
    return Vector(name, reason, form(PROMPT, OTHER), verdict, target=target, method=method)


PATHS = (
    row(b"/v1/audio/transcriptions", "the endpoint", _REWRITTEN),
    row(b"/audio/transcriptions", "MLX Omni Server serves it without the version too", _REWRITTEN),
    row(b"/openai/v1/audio/transcriptions", "behind a prefix", _REWRITTEN),
    row(b"/v1/audio/transcriptions/", "routed by a redirect, or at once", _REWRITTEN),
    row(b"/v1/audio/transcriptions?a=b", "a query of the client's", _REWRITTEN),
    row(b"/v1/audio/transcriptions?", "an empty query", _REWRITTEN),
    row(b"http://h/v1/audio/transcriptions", "absolute form", _REWRITTEN),
    row(b"HTTP://other:80/v1/audio/transcriptions", "absolute form, another host", _REWRITTEN),
    row(b"/v1/%61udio/transcriptions", "decoded before routing", _REWRITTEN),
    row(b"/v1%2faudio%2Ftranscriptions", "Starlette decodes slashes too", _REWRITTEN),
    row(b"/v1/audio/transcriptions%0a", "Starlette's patterns end before a line feed", _REWRITTEN),
    row(b"/v1/audio/transcription%73", "decoded before routing", _REWRITTEN),
    row(b"/v1/audio/transcriptions", "servers that ignore the case of methods", _REWRITTEN, b"post"),
    row(b"/v1/Audio/Transcriptions", "routers that ignore case", _ODD),
    row(b"//v1//audio//transcriptions", "slashes are merged by many", _ODD),
    row(b"/v1/./audio/transcriptions", "dot segments are removed by many; a suffix decides", _REWRITTEN),
    row(b"/v1/audio/./transcriptions", "dot segments are removed by many", _ODD),
    row(b"/v1/audio/x/../transcriptions", "dot segments are removed by many", _ODD),
    row(b"/v1/audio/%2e%2e/audio/transcriptions", "decoded, then removed", _REWRITTEN),
    row(b"/v1/audio/x/%2e%2e/transcriptions", "decoded, then removed", _ODD),
    row(b"/v1/audio/transcriptions/..;/transcriptions", "Tomcat takes parameters off first", _ODD),
    row(b"/v1/audio/transcriptions;a=b", "Tomcat takes parameters off", _ODD),
    row(b"/v1/audio;a=b/transcriptions", "Tomcat takes parameters off", _ODD),
    row(b"/v1/audio/transcriptions%3ba", "decoded, then taken off", _ODD),
    row(b"/v1/audio\\transcriptions", "a slash to Windows servers", _ODD),
    row(b"/v1/audio%5ctranscriptions", "a slash to Windows servers", _ODD),
    row(b"/v1/audio/transcriptions#a", "a fragment has no place here; cut or kept", Refused(400, "'#'")),
    row(b"/v1/x#/audio/transcriptions", "the same", Refused(400, "'#'")),
    row(b"/v1/audio/transcriptions%23a", "decoded, then cut", _ODD),
    row(b"/v1/audio/transcriptions%3fa=b", "decoded, then cut", _ODD),
    row(b"/v1/audio/transcriptions%00", "C servers stop there", _ODD),
    row(b"/v1/audio/transcriptions%00.txt", "C servers stop there", _ODD),
    row(b"/v1/audio/transcriptions%20", "stripped by some", _ODD),
    row(b"/v1/audio/transcriptions%0d%0a", "stripped by some", _ODD),
    row(b"/v1/audio/transcriptions%0a/", "a line feed before the slash", _ODD),
    row(b"/v1/audio/%2574ranscriptions", "decoded twice by chains of servers", _ODD),
    row(b"/v1/audio%252ftranscriptions", "decoded twice by chains of servers", _ODD),
    row("/v1/audio/tranſcriptions".encode(), "routers that fold case", _ODD),
    row(b"/v1/audio/tran%C5%BFcriptions", "the same, escaped", _ODD),
    row("/v1/ａudio/transcriptions".encode(), "servers that normalize", _ODD),
    row(b"/v1/audio%ef%bc%8ftranscriptions", "a slash in full width", _ODD),
    row(b"/health/../v1/audio/transcriptions", "hidden behind a page of the proxy's", _REWRITTEN),
    row(
        b"/v1/audio/transcriptions/../../../health",
        "a page of the proxy's hidden behind it: the upstream's affair",
        Passes(),
    ),
    row(b"/v1/audio/transcriptions/x", "another route", Passes()),
    row(b"/v1/audio/transcriptionsx", "another route", Passes()),
    row(b"/v1/audio/translations", "the rules hold for translations too", _REWRITTEN),
    row(b"/v1/audio/translation", "another route", Passes()),
    row(b"/v1/audio/speech?x=/audio/transcriptions", "it stands in the query", Passes()),
    row(b"/v1/audio%2", "half an escape", Passes()),
    row(b"/v1/audio/transcriptions", "a server may read a form whatever the method is", _REWRITTEN, b"PUT"),
    row(b"/v1/audio/transcriptions", "a server may read a form whatever the method is", _REWRITTEN, b"GET"),
    row(b"/v1/audio/transcriptions", "a server may read a form whatever the method is", _REWRITTEN, b"POSTS"),
    row(b"/%68ealth", "not the proxy's page: the upstream's affair", Passes()),
    row(b"//health", "not the proxy's page", Passes()),
    row(b"/health/", "not the proxy's page", Passes()),
    row(b"/stats;x", "not the proxy's page", Passes()),
)


def query(sent: bytes, left: bytes, why: str = "") -> Vector:
    """A form sent with a query, and the rest of the query that is forwarded."""
    vector = row(b"/v1/audio/transcriptions?" + sent, why or _QUERY, _REWRITTEN)
    return attrs.evolve(vector, upstream_target=b"/v1/audio/transcriptions?" + left)


#: Fields in the query.
_QUERY = "servlets, fasthttp, Rack and PHP read fields from the query too, some of them before the form's"


QUERIES = (
    query(b"prompt=evil", b""),
    query(b"a=b&LANGUAGE%5b%5d=en&c=d", b"a=b&c=d"),
    query(b"%70rompt=evil&a", b"a"),
    query(b"+prompt+=evil", b""),
    query(b"[prompt]=evil&prompt[0]=evil", b""),
    query(b"a=b;prompt=evil&c=d", b"c=d", "a semicolon separates pairs to some"),
    query(b"%EF%BD%90rompt=evil", b"", "readers that normalize"),
    query("Ｐrompt=evil&é=b".encode(), b"%C3%A9=b", "readers that normalize, and take raw bytes for UTF-8"),
    query(b"prompt&prompt=&=prompt", b"=prompt"),
    query(b"a=prompt%3Devil&b=%ff&%zz&c=%", b"a=prompt%3Devil&b=%ff&%zz&c=%", "other fields pass to the byte"),
    row(b"/v1/audio/transcriptions?prompt%00=evil", "C readers stop at NUL: prompt", Refused(400, "control")),
)


def asked(why: str, target: bytes, verdict: Verdict, *headers: bytes, method: bytes = b"POST") -> Vector:
    """A form sent to a target with further headers."""
    vector = row(target, why, verdict, method)
    return attrs.evolve(vector, name=f"{vector.name} {headers[0].decode()}", headers=headers)


#: Headers that frameworks read as a method, a target or a type.
OVERRIDES = (
    asked("Rails, Express, Laravel", PATH, Refused(400, "override"), b"X-HTTP-Method-Override: POST", method=b"PUT"),
    asked("the same, any case", PATH, Refused(400, "override"), b"x-http-method-override: post", method=b"PATCH"),
    asked("Microsoft's spelling", PATH, Refused(400, "override"), b"X-HTTP-Method: POST", method=b"GET"),
    asked("IBM's spelling", PATH, Refused(400, "override"), b"X-Method-Override: POST", method=b"DELETE"),
    asked("IIS and Symfony", b"/v1/x", Refused(400, "override"), b"X-Original-URL: /v1/audio/transcriptions"),
    asked("IIS", b"/v1/x", Refused(400, "override"), b"X-Rewrite-URL: /v1/audio/transcriptions?a=b"),
    asked(
        "both", b"/v1/x", Refused(400, "override"), b"X-Original-URL: " + PATH, b"X-HTTP-Method: POST", method=b"PUT"
    ),
    asked("nothing that concerns us", b"/v1/x", Passes(), b"X-HTTP-Method-Override: PUT"),
    asked("gateways like CGI read it as Content-Type", PATH, Refused(415, ""), b"Content_Type: application/json"),
    asked("gateways like CGI read it as the coding", PATH, Refused(415, ""), b"Content_Encoding: gzip"),
)

ROWS = (*PATHS, *QUERIES, *OVERRIDES)
