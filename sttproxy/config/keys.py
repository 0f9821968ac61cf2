"""
The file of ``--profile-by-key``: which API key has which profile.
"""

from __future__ import annotations

import re

from .files import Files
from .model import Config
from .names import names_of

_HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")


def read_keys(files: Files, file: str, config: Config | None) -> dict[str, str]:
    """
    Judge the file that gives API keys their profiles.

    No message of it shows a member's name: that may be a key that somebody forgot to hash.

    :param files: reads it, and takes the errors.
    :param file: its path.
    :param config: has the profiles; None where it is wrong itself.
    :return: names of profiles by the SHA-256 of the keys, in lower-case hexadecimal digits.
    """
    data = files.following(file)
    if data is None:
        return {}
    root = files.document(data, "this is not JSON, or a member is there twice")
    found: dict[str, str] = {}
    for member in root.members if root else ():
        profile = member.value.data
        digest = _HASH.fullmatch(member.key)
        if digest is None:
            message = "an API key is given as 'sha256:' and the 64 hexadecimal digits of its SHA-256"
            files.error(message, member.key_at, "")
        elif digest.group(1).lower() in found:
            files.error("the same key is there twice", member.key_at, "")
        elif not isinstance(profile, str) or (config and profile not in config.profiles):
            names = f"; {names_of(config.profiles)}" if config else ""
            files.error(f"this must be the name of a profile{names}", member.value.start, "")
        else:
            found[digest.group(1).lower()] = profile
    return found
