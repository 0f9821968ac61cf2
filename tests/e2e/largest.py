"""
The largest part of a form, read without storing it; for the scripts that are servers.
"""

from __future__ import annotations

import hashlib
import re

from python_multipart.multipart import MultipartParser


class Largest:
    """
    Reads a form.

    :ivar size: of the largest part so far, in bytes.
    :ivar digest: the SHA-256 of that part, in hexadecimal.
    """

    def __init__(self, content_type: str) -> None:
        boundary = re.search('boundary="?([^;"]*)', content_type)
        assert boundary is not None
        self.size, self.digest = 0, ""
        calls = {"on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end}
        self._parser = MultipartParser(boundary.group(1).encode(), calls)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._parser.write(piece)

    def end(self) -> None:
        """The form is complete."""
        self._parser.finalize()

    def _begin(self) -> None:
        self._hash, self._length = hashlib.sha256(), 0

    def _data(self, piece: bytes, start: int, end: int) -> None:
        self._hash.update(memoryview(piece)[start:end])
        self._length += end - start

    def _end(self) -> None:
        if self._length >= self.size:
            self.size, self.digest = self._length, self._hash.hexdigest()
