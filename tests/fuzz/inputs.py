"""
How the fuzzer's bytes become a form or a head, and the invariants of each.

An input for forms: a byte that selects rules and kind, a byte that says how the body is cut, then the body, under a
fixed boundary.  An input for heads: the head itself.
"""

from __future__ import annotations

import json

import h11

from sttproxy.config import Rules, parse
from sttproxy.errors import ProxyError
from sttproxy.forms import urlencoded
from sttproxy.forms.evaluation import Evaluation
from sttproxy.http1 import requests
from sttproxy.http1.framing import Chunked
from sttproxy.http1.heads import HEAD_END
from sttproxy.routes import Route, Router

from ..forms.rewriting import drops, forced_json, forced_parts, rewrite_json
from ..vectors.reading import by_json, by_pairs
from .invariants import check_rewriter, check_settled

ROUTER = Router(("/audio/transcriptions", "/asr"))
#: Short, so that the fuzzer finds it; the proxy's own boundary is longer, which tests the promised length.
SHORT = b"B"
#: As long as the proxy's own boundary.
LONG = b"0123456789abcdefghijklmnopqrstuv"
#: The rules for forms: all kinds of values, nothing at all, and defaults and tables.  These tables do not change their
#: own results, so that a form can be rewritten a second time.
RULES = (
    parse(b'{"prompt": "P", "l": ["1", "2"], "o": {"k": true}, "language": null, "t": 0.20}').base,
    parse(b"{}").base,
    parse(
        b'{"prompt": "P", "language": null, "$default": {"t": 0.20, "l": {"value": ["1", "2"], "when_empty": true}},'
        b' "$map": {"m": {"a": "long", "*": "long"}, "l": {"a": "1", "": "2"}, "prompt": {"*": "never"}}}'
    ).base,
    parse(
        b'{"$default": {"m": {"value": "d", "when_empty": true}, "o": {"k": true}},'
        b' "$map": {"m": {"a": "", "aa": "b", "a*": null}}, "$rename": {"x": "m", "language": "l[]"}}'
    ).base,
)


def chosen(choices: int) -> tuple[int, int]:
    """Return the rules of an input, and the kind of its body: multipart below 2, urlencoded, JSON."""
    return choices & 1 | choices >> 2 & 2, choices >> 4 & 3


def check_form(data: bytes) -> None:
    """Check the invariants of one form."""
    if len(data) < 2:
        return
    choices, cut, body = data[0], data[1], data[2:]
    number, kind = chosen(choices)
    rules = RULES[number]
    if kind == 2:
        check_pairs(rules, body)
    elif kind == 3:
        check_json(rules, body, cut + 1)
    else:
        step = cut + 1
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        check_rewriter(rules, LONG if choices & 4 else SHORT, pieces, bool(choices & 2))


def check_pairs(rules: Rules, body: bytes) -> None:
    """Check that pairs are refused, or become the forced fields and others."""
    try:
        left = urlencoded.rewrite(Evaluation(rules), body)
    except ProxyError:
        return
    items = [(item.name.encode(), item.value) for item in by_pairs(left)] if left else []
    check_settled(rules, [(name.decode(), value) for name, value in items])
    assert items[: len(forced_parts(rules))] == list(forced_parts(rules)), "it does not begin with the forced pairs"
    assert not any(drops(rules, name.decode()) for name, _ in items[len(forced_parts(rules)) :]), "a ruled pair is left"
    assert urlencoded.rewrite(Evaluation(rules), left) == left, "rewritten once more, it says something else"


def check_json(rules: Rules, body: bytes, step: int) -> None:
    """
    Check that an object is refused, or becomes the forced members and others, for every cut.

    :param step: the size of the pieces in bytes.
    """
    (left,), (padded,) = ({_json(rules, body, each, counted) for each in (None, step, 1)} for counted in (False, True))
    assert padded.rstrip(b" ") == left or not padded, "with a length it says something else"
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    if not left:
        return
    assert isinstance(read, dict), "it is not an object to the standard decoder"
    members = by_json(left)
    names = [name for name, _ in members]
    # A null counts as empty; a list or an object matches no value of a table and is not empty.
    texts = [(name, "" if value is None else value) for name, value in members]
    check_settled(rules, [(name, value.encode() if isinstance(value, str) else None) for name, value in texts])
    assert names[: len(forced_json(rules))] == [name for name, _ in forced_json(rules)], "the forced ones are not first"
    assert len(set(names)) == len(names), "a member is repeated"
    assert not any(drops(rules, name) for name in names[len(forced_json(rules)) :]), "a ruled member is left"
    assert rewrite_json(rules, left) == left, "rewritten once more, it says something else"


def _json(rules: Rules, body: bytes, step: int | None, counted: bool) -> bytes:
    """Return the rewritten object; empty if it is refused."""
    try:
        return rewrite_json(rules, body, step, counted)
    except ProxyError:
        return b""


def check_head(data: bytes) -> None:
    """Check the invariants of a request's head and of the bytes after it."""
    end = data.find(HEAD_END)
    if end < 0:
        check_beginning(data)
        return
    block, rest = requests.skip_empty_lines(data[: end + 4]), data[end + 4 :]
    if HEAD_END not in block:
        return
    try:
        head = requests.parse_request(block)
    except ProxyError:
        return
    check_beginning(block[:-4])
    if head.version == b"HTTP/1.1":
        again = requests.parse_request(requests.write_request(head.method, head.target, head.headers))
        assert again == head, "written, it is read otherwise"
    assert b"\n" not in head.target and b" " not in head.target, "the target could end early"
    check_h11(head, block)
    assert ROUTER.route(head.method, head.target.partition(b"?")[0], head.length != 0) in Route
    if head.chunked:
        check_chunks(rest)


def check_beginning(data: bytes) -> None:
    """Check that no prefix of an accepted input is refused, and that only errors of ours are raised."""
    for cut in {0, 1, 2, len(data) // 2, len(data)}:
        part = requests.skip_empty_lines(data[:cut])
        try:
            requests.check_beginning(part)
        except ProxyError:
            if HEAD_END in data:
                continue
            whole = requests.skip_empty_lines(data) + HEAD_END
            try:
                requests.parse_request(whole)
            except ProxyError:
                continue
            raise AssertionError("the beginning is refused and the whole is not") from None


def check_h11(head: requests.RequestHead, block: bytes) -> None:
    """Check that h11, which is strict too, reads the same fields and the same framing."""
    if not block.partition(b"\r\n")[0].isascii():
        return  # h11 refuses targets in raw UTF-8, which are percent-encoded here
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    peer.receive_data(block)
    try:
        event = peer.next_event()
    except h11.RemoteProtocolError as error:
        raise AssertionError(f"h11 refuses it: {error}") from None
    assert isinstance(event, h11.Request), event
    assert event.method == head.method
    mine = [(name.lower(), value) for name, value in head.headers if name.lower() != b"host"]
    theirs = [(bytes(name), bytes(value)) for name, value in event.headers if name != b"host"]
    assert [name for name, _ in mine] == [name for name, _ in theirs], "the names differ"
    for (name, value), (_, other) in zip(mine, theirs, strict=True):
        if name == b"content-length":
            assert int(value) == int(other), "the lengths differ"
            continue
        assert value == other or (name == b"transfer-encoding" and value.lower() == other), (name, value, other)
    ended = isinstance(peer.next_event(), h11.EndOfMessage)
    assert ended == (head.length == 0), "one sees a body where the other sees none"


def check_chunks(data: bytes) -> None:
    """Check that chunks are decoded byte by byte as they are whole, and as by h11."""
    whole = _decoded([data])
    assert _decoded([data[at : at + 1] for at in range(len(data))]) == whole, "it depends on the cuts"
    if isinstance(whole, str) or not whole[2]:
        return
    peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    peer.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    body = b""
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        assert event is not h11.NEED_DATA, "h11 sees no end"
        if isinstance(event, h11.Data):
            body += event.data
    assert (body, peer.trailing_data[0]) == whole[:2], "h11 reads another body"


def _decoded(pieces: list[bytes]) -> tuple[bytes, bytes, bool] | str:
    """Return the body, the bytes after it, and whether it is complete; or the error message."""
    decoder = Chunked()
    body, rest = b"", b""
    for number, piece in enumerate(pieces):
        if decoder.done:
            rest += b"".join(pieces[number:])
            break
        try:
            slices, rest = decoder.feed(piece)
        except ProxyError as error:
            return error.message
        body += b"".join(slices)
    return body, rest, decoder.done
