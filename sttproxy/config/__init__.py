"""
The configuration: the rules that the proxy applies to each transcription form.

`parse` reads and checks a file.  It returns a frozen `Config` that is ready to be applied to forms: field names as they
go on the wire, values as text, and one set of rules for each profile.
"""

from .choice import Asked, Choice
from .files import MAX_BYTES, Reader
from .members import MAX_KEY
from .model import SESSION_FIELDS, Config, Default, Field, Finding, Map, Rules, Text, multipart_parts
from .names import fold, names_of
from .parser import parse

__all__ = [
    "MAX_BYTES",
    "MAX_KEY",
    "SESSION_FIELDS",
    "Asked",
    "Choice",
    "Config",
    "Default",
    "Field",
    "Finding",
    "Map",
    "Reader",
    "Rules",
    "Text",
    "fold",
    "multipart_parts",
    "names_of",
    "parse",
]
