"""
The configuration: the rules that the proxy applies to each transcription form.

`parse` reads and checks a file.  It returns a frozen `Config` that is ready to be applied to forms: field names as they
go on the wire, values as text, and one set of rules for each profile.
"""

from .choice import Asked, Choice
from .files import MAX_BYTES, Reader
from .model import SESSION_FIELDS, Config, Finding, Rules
from .names import ALWAYS_DROPPED, fold, names_of
from .outline import outline
from .parser import parse
from .rules import (
    MAX_VALUE,
    REMOVED,
    Default,
    Field,
    Joined,
    Map,
    Removed,
    Rename,
    Text,
    TranscriptRules,
    json_members,
    may_repeat,
    multipart_parts,
)

__all__ = [
    "ALWAYS_DROPPED",
    "MAX_BYTES",
    "MAX_VALUE",
    "REMOVED",
    "SESSION_FIELDS",
    "Asked",
    "Choice",
    "Config",
    "Default",
    "Field",
    "Finding",
    "Joined",
    "Map",
    "Reader",
    "Removed",
    "Rename",
    "Rules",
    "Text",
    "TranscriptRules",
    "fold",
    "json_members",
    "may_repeat",
    "multipart_parts",
    "names_of",
    "outline",
    "parse",
]
