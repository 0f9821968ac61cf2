"""
Where the configuration comes from: the paths of its files, and how to read and check them.
"""

from __future__ import annotations

import os

import attrs

from .. import config
from ..config import Config, Finding
from ..errors import ConfigError
from .files import Look, look

#: Largest number of looks in a row until two see the same bytes.  Included files need one more than the file itself.
_MOST_LOOKS = 10


@attrs.frozen
class CheckResult:
    """
    The result of checking a configuration.

    :ivar found: the configuration, or its errors.  It is final only if the look had all of `files`.
    :ivar files: the paths of all files that belong to the configuration.
    """

    found: Config | ConfigError
    files: frozenset[str]


@attrs.frozen
class Source:
    """
    Where the configuration comes from.

    :ivar path: the absolute path of the configuration file.
    :ivar keys: the absolute path of the file that gives API keys their profiles; empty if keys have no profiles.
    :ivar profile: the profile of requests that name no profile; empty for the base.
    :ivar required: whether a missing configuration file is an error; if not, it counts as ``{}``.
    """

    path: str
    keys: str = ""
    profile: str = ""
    required: bool = True

    def read(self) -> tuple[CheckResult, Look]:
        """
        Read the configuration with all included files, and check it.

        :return: the result, and the look that it comes from.
        """
        seen = look((self.path,))
        for _ in range(_MOST_LOOKS):
            result = self.check(seen)
            # A second look: if a link is swapped between two reads, the first look mixes old and new files.
            again = look(result.files)
            if again == seen:
                return result, seen
            seen = again
        error = ConfigError([Finding("the files change faster than they can be read", self.path)])
        return CheckResult(error, frozenset(seen)), seen

    def check(self, seen: Look) -> CheckResult:
        """
        Check the configuration in files that a look has read.

        An included file that the look does not have counts as empty; the result names it in `CheckResult.files`.
        """
        files = {self.path}

        def read(path: str) -> bytes | str:
            files.add(path)
            return seen.get(path, b"")

        found: Config | ConfigError
        data = seen[self.path]
        if isinstance(data, str) and not self.required and not os.path.lexists(self.path):
            data = b"{}"
        try:
            if isinstance(data, str):
                raise ConfigError([Finding(data, self.path)])
            found = config.parse(data, file=self.path, read=read, keys=self.keys, profile=self.profile)
        except ConfigError as error:
            found = error
        return CheckResult(found, frozenset(files))
