"""
The record of what was written for a service, kept beside its configuration: files with their digests, and folders.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress

import attrs


def digest(text: str) -> str:
    """The digest of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(path: str) -> str | None:
    """The text of a file; None: it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None


@attrs.frozen
class Record:
    """
    What was written.

    :ivar path: of the record itself.
    :ivar files: digests of the files, by path.
    :ivar folders: that did not exist before, outer ones first.
    """

    path: str
    files: dict[str, str] = attrs.Factory(dict)
    folders: list[str] = attrs.Factory(list)

    @classmethod
    def read(cls, path: str) -> Record:
        """
        The record at a path; an empty one if there is none.

        :raises ValueError: when the file is not a record.
        """
        text = text_of(path)
        if text is None:
            return cls(path)
        try:
            found = json.loads(text)
            return cls(path, dict(found["files"]), list(found["folders"]))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path} is not a list of what was written") from None

    def write(self) -> None:
        """Write it, and the folders that it needs, which it then has."""
        self.make_folders(self.path)
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump({"files": self.files, "folders": self.folders}, file, indent=2)
            file.write("\n")

    def make_folders(self, path: str) -> None:
        """Make the folders above a path that do not exist, and note them."""
        missing = []
        folder = os.path.dirname(path)
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for folder in reversed(missing):
            os.mkdir(folder, 0o755)
            self.folders.append(folder)

    def is_ours(self, path: str, text: str) -> bool:
        """Whether a file is as it was written."""
        return self.files.get(path) == digest(text)

    def remove(self) -> None:
        """Remove the record, and those of its folders that are empty."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)
        for folder in reversed(self.folders):
            with suppress(OSError):
                os.rmdir(folder)
