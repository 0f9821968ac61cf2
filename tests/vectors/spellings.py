"""
Vectors in field names: spellings that some upstream reads as a configured field, and names that only look similar.
"""

from __future__ import annotations

from urllib.parse import quote

from .vector import CD, OTHER, URLENCODED, Reads, Vector, file, form, part, text

#: Spellings of configured fields, and the readers that accept them.
RULED = {
    "prompt": "everybody",
    "Prompt": "ASP.NET, and Go's JSON",
    "PROMPT": "the same",
    "prompt[]": "PHP, Rack, Express: a list",
    "prompt[0]": "PHP, Rack, Express: a list",
    "prompt[key]": "PHP, Rack, Express: an object",
    "prompt[a][b]": "PHP, Rack, Express: an object of objects",
    "prompt[": "PHP and Rack, by what is before the bracket",
    "prompt[]x": "PHP cuts behind the bracket",
    " prompt": "PHP and Django strip blanks",
    "prompt ": "Django strips blanks",
    "\u00a0prompt\u2003": "Django strips any white space",
    "\u3000prompt": "Django strips any white space",
    "ｐｒｏｍｐｔ": "readers that normalize (NFKC): full width",
    "𝐩𝐫𝐨𝐦𝐩𝐭": "readers that normalize: mathematical letters",
    "ⓟⓡⓞⓜⓟⓣ": "readers that normalize: letters in circles",
    "prompt［］": "readers that normalize: brackets in full width",
    "[prompt]": "qs, in Express",
    "[prompt][]": "qs, in Express: a list",
    "prompt]": "readers that cut at any bracket",
    "timestamp.granularities": "PHP makes an underscore of a dot",
    "timestamp granularities": "PHP makes an underscore of a blank",
    "timestamp[granularities": "PHP makes an underscore of a bracket that nothing closes",
    "language": "everybody; it is configured to be removed",
    "LANGUAGE[]": "the same, in another spelling",
    "timestamp_granularities": "a list configured without its brackets",
    "timestamp_granularities[]": "and with them",
    "timeſtamp_granularities": "Go's JSON, and whoever folds case: the long s",
    "_charset_": "HTML: names the charset of all others",
    "_CHARSET_": "the same, whatever the case",
}

#: Names that no reader takes for a configured field.
ALIKE = {
    "initial_prompt": "another field of some upstreams",
    "prompts": "another name",
    "promp": "another name",
    "рrompt": "a Cyrillic letter is no Latin one in any normalization",
    "%70rompt": "nobody decodes twice",
    "name": "a word of the syntax",
    "filename": "a word of the syntax",
    "a.b": "some upstreams' objects",
    "": "no name at all",
    "会议": "not everybody writes English",
    "😀": "beyond the first plane",
}


def _shown(name: str) -> str:
    return ascii(name)


def _field(name: str, value: bytes = b"evil") -> bytes:
    return part(CD + b'name="%b"' % name.encode(), value)


_TEXTS = [
    Vector(f"{_shown(name)} as text", why, form(OTHER, _field(name)), Reads((text("other"),)))
    for name, why in RULED.items()
]
_FILES = [
    Vector(
        f"{_shown(name)} as a file",
        "a file under a field's name is still that field to readers that do not ask: " + why,
        form(part(CD + b'name="%b"; filename="a.wav"\r\nContent-Type: text/plain' % name.encode(), b"evil"), OTHER),
        Reads((text("other"),)),
    )
    for name, why in list(RULED.items())[:8]
]
_PAIRS = [
    Vector(
        f"{_shown(name)} in a pair", why, b"%b=evil&other=1" % quote(name).encode(), Reads((text("other"),)), URLENCODED
    )
    for name, why in RULED.items()
]
_ALIKE = [
    Vector(f"{_shown(name)} is another field", why, form(_field(name)), Reads((text(name, b"evil"),)))
    for name, why in ALIKE.items()
]

_REPEATED = (
    Vector(
        "a hundred copies", "the first or the last", form(*[_field("prompt")] * 100, OTHER), Reads((text("other"),))
    ),
    Vector(
        "copies in all spellings at once",
        "what is dropped once must be dropped always",
        form(*map(_field, RULED), OTHER, *map(_field, reversed(RULED))),
        Reads((text("other"),)),
    ),
    Vector(
        "a repeated other field",
        "a list to most; nothing of it is the proxy's business",
        form(OTHER, OTHER),
        Reads((text("other"), text("other"))),
    ),
    Vector(
        "a form of only ruled fields",
        "nothing of the client's is left",
        form(_field("prompt"), _field("language")),
        Reads(),
    ),
    Vector(
        "a file called prompt",
        "a name in the wrong place",
        form(part(CD + b'name="file"; filename="prompt"', b"evil")),
        Reads((file(filename=b"prompt", value=b"evil"),)),
    ),
    Vector(
        "a ruled field that holds a form",
        "what is dropped is dropped whole",
        form(_field("prompt", form(_field("prompt"), boundary=b"x")), OTHER),
        Reads((text("other"),)),
    ),
)

ROWS = (*_TEXTS, *_FILES, *_PAIRS, *_ALIKE, *_REPEATED)
