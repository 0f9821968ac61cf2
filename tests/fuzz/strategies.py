"""
Strategies for bodies that try to bypass the rules, in addition to those of the forms' own tests.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

import attrs
from hypothesis import strategies as st

from sttproxy.config import parse
from sttproxy.errors import ConfigError

from ..forms.strategies import Form, boundaries, configurations, cuts, forms, mutated
from ..vectors import envelopes, parameters, parts, spellings
from ..vectors.vector import BOUNDARY, CONFIG, MULTIPART


@attrs.frozen
class Attempt:
    """
    A form and its configuration.

    :ivar pieces: the body, as the network cuts it.
    """

    boundary: bytes
    configuration: bytes
    pieces: list[bytes]
    counted: bool


_VECTORS = [
    vector.body
    for vector in (*parameters.ROWS, *parts.ROWS, *envelopes.ROWS, *spellings.ROWS)
    if vector.content_type == MULTIPART and len(vector.body) < 3000
]

#: Names of ruled fields in disguised spellings.
disguises = st.sampled_from(("prompt", "language", "temperature", "model", "response_format", "lang")).flatmap(
    lambda name: st.sampled_from(
        (
            name,
            name.upper(),
            name + "[]",
            f"[{name}]",
            name + "\u00a0",
            name.replace("_", "."),
            "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in name),
            f"=?utf-8?q?{name}?=",
            f"x; name={name}; y",
            f"x\u2028name={name}",
            f"{name}*=utf-8''",
            "%" + format(ord(name[0]), "02x") + name[1:],
            f"'{name}'",
            f"{name}\u200b",
            f"({name})",
            f"{name} (x)",
            f"<{name}>",
        )
    )
)
_TYPES = st.sampled_from(
    (
        b"text/plain; charset=utf-7",
        b"text/plain; charset=utf-16",
        b"message/rfc822",
        b"message/external-body",
        b"(x)multipart/mixed; boundary=i",
        b'"multipart"/mixed; boundary=i',
        b"multipart; boundary=i",
        b"text/plain; name=prompt",
        b"text/plain; name*0=pro; name*1=mpt",
        b"application/x-www-form-urlencoded",
        b"application/json",
        b"",
        b";;",
        b"=?utf-8?q?multipart/mixed?=; boundary=i",
    )
)
#: How clients spell a file name.
_FILE_NAMES: tuple[Callable[[str], bytes], ...] = (
    lambda name: b'; filename="%b"' % name.encode(),
    lambda name: b'; filename="a; name=%b"' % name.encode(),
    lambda name: b'; filename="a\\";name=%b"' % name.encode(),
    lambda name: b'; filename="\x00\t\x0b%b.wav\\\\"' % name.encode(),
    lambda name: b"; filename=%b (1).wav" % name.encode(),
    lambda name: b"; filename*=UTF-8''%b" % name.encode(),
    lambda name: b"; filename*=UTF-8''%%22%%3B name=%b" % quote(name).encode(),
    lambda name: b"; filename*=iso-8859-1'en'%%0D%%0A(%b)" % quote(name, encoding="latin-1", errors="replace").encode(),
    lambda name: b'; filename="=?utf-8?B?%b?="' % b64encode(b'"; name="' + name.encode()),
    lambda name: b'; filename="=?utf-8?q?%b?="' % quote(name).replace("%", "=").encode(),
)
_INNER = (
    *("en".encode(charset) for charset in ("utf-8", "utf-16", "utf-16-le", "utf-7", "utf-32-be")),
    b"EN-\xff",
    b"en\0",
    b"--i\r\nContent-Disposition: form-data; name=prompt\r\n\r\nevil\r\n--i--",
    b"Content-Disposition: form-data; name=prompt\r\n\r\nevil",
    b"prompt=evil",
    b'{"prompt": "evil"}',
)


@st.composite
def disguised(draw: st.DrawFn) -> Form:
    """Forms whose parts are well-formed but deceptive."""
    boundary = draw(boundaries(16))
    body = b""
    for _ in range(draw(st.integers(1, 3))):
        lines = [b'Content-Disposition: form-data; name="%b"' % draw(disguises).encode()]
        for template in draw(st.lists(st.sampled_from(_FILE_NAMES), max_size=2)):
            lines[0] += template(draw(disguises))
        if draw(st.booleans()):
            lines.append(b"Content-Type: " + draw(_TYPES))
        if draw(st.booleans()):
            lines.append(
                draw(st.sampled_from((b"Content-Transfer-Encoding: binary", b"Content-ID: x", b"MIME-Version: 1")))
            )
        value = draw(st.sampled_from(_INNER) | st.binary(max_size=20))
        body += b"\r\n--%b\r\n%b\r\n\r\n%b" % (boundary, b"\r\n".join(draw(st.permutations(lines))), value)
    end = draw(st.sampled_from((b"\r\n--%b--\r\n", b"\r\n--%b--", b"\r\n--%b", b"\r\n--%b\r\n", b"\r\n", b"")))
    start = draw(st.sampled_from((b"", b"\r\n", b"\n")))
    return Form(boundary, (), start + body.removeprefix(b"\r\n") + (end % boundary if b"%" in end else end))


_seeds = st.sampled_from(_VECTORS).map(lambda body: Form(BOUNDARY, (), body))


def accepted(configuration: bytes) -> bool:
    """Whether a configuration is valid."""
    try:
        parse(configuration)
    except ConfigError:
        return False
    return True


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Forms of all kinds, unchanged or mutated once more."""
    form = draw(st.one_of(forms(), forms(min_boundary=16), disguised(), _seeds))
    body = draw(mutated(form)) if draw(st.booleans()) else form.body
    configuration = draw(configurations().filter(accepted) | st.just(CONFIG))
    return Attempt(form.boundary, configuration, draw(cuts(body)), draw(st.booleans()))
