"""
The file of ``--profile-by-key``: it gives each API key a profile.
"""

from __future__ import annotations

import re

from .files import Files
from .model import Config
from .names import names_of

_HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")
#: The message for what is not the hash of a key.  It does not quote it, because it may be a key.
KEY_NEEDED = "this must be 'sha256:' and the 64 hexadecimal digits of an API key's SHA-256"


def digest_of(text: str) -> str:
    """The digits of ``sha256:…`` in lower case; empty if the text is something else."""
    found = _HASH.fullmatch(text)
    return found.group(1).lower() if found else ""


def read_keys(files: Files, file: str, config: Config | None) -> dict[str, str]:
    """
    Read and check the file that gives API keys their profiles.

    No error message shows the name of a member, because that name may be an API key that the user forgot to hash.

    :param files: reads the file and collects the errors.
    :param file: its path.
    :param config: the configuration that has the profiles; None if it has errors itself.
    :return: the name of a profile for each key, by the key's SHA-256 in lower-case hexadecimal digits.
    """
    data = files.following(file)
    if data is None:
        return {}
    root = files.document(data, "this is not JSON, or the same member appears twice")
    found: dict[str, str] = {}
    for member in root.members if root else ():
        profile = member.value.data
        digest = digest_of(member.key)
        if not digest:
            files.error(KEY_NEEDED, member.key_at, "")
        elif digest in found:
            files.error("the same key appears twice", member.key_at, "")
        elif not isinstance(profile, str) or (config and profile and profile not in config.profiles):
            names = f"; {names_of(config.profiles)}" if config else ""
            files.error(f'this must be the name of a profile, or "" for none{names}', member.value.start, "")
        else:
            found[digest] = profile
    return found
