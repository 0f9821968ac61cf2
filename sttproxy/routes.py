"""
Where a request target leads, judged as the upstream would.
"""

from __future__ import annotations

import re

#: What every path of the transcription endpoint ends with, whatever stands before it.
_TRANSCRIPTIONS = re.compile(rb".*/audio/transcriptions/?", re.DOTALL)


def is_transcription(method: bytes, path: bytes) -> bool:
    """
    Whether a request may reach the upstream's transcription handler.

    :param path: the target without its query.
    """
    return method == b"POST" and _TRANSCRIPTIONS.fullmatch(path) is not None
