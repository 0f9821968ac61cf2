"""
The transcription requests that are sent, and the configuration that sttproxy has to put into them.
"""

from __future__ import annotations

import json
import random

PATH = "/v1/audio/transcriptions"
#: What every transcription shall carry: one field that replaces the client's, one too long for a single byte each
#: letter, two that agree with what clients send.
CONFIGURED = {
    "language": "zh",
    "prompt": "以下是普通话的会议记录。",
    "response_format": "json",
    "model": "whisper-large-v3",
}
CONFIG = json.dumps(CONFIGURED, ensure_ascii=False)
BOUNDARY = "0123456789abcdef0123456789abcdef"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"

#: What stands before the recording, and after it.
BEFORE = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    "Content-Type: audio/wav\r\n\r\n"
).encode()
AFTER = f"\r\n--{BOUNDARY}--\r\n".encode()


def recording(size: int) -> bytes:
    """So many bytes of noise, the same each time: no proxy finds a shortcut in it, nor a delimiter."""
    return random.Random(size).randbytes(size)


def head(file_size: int, target: str = PATH) -> bytes:
    """The head of a request whose form holds a recording of so many bytes."""
    length = len(BEFORE) + file_size + len(AFTER)
    return (
        f"POST {target} HTTP/1.1\r\nHost: bench.test\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def request(file: bytes, target: str = PATH) -> bytes:
    """A whole request."""
    return head(len(file), target) + BEFORE + file + AFTER


def arrived_right(sent: bytes, received: bytes, rewritten: bool) -> bool:
    """
    Whether the sink got what it should have.

    :param sent: the recording.
    :param received: the body that the sink saw.
    :param rewritten: whether the peer puts the configuration in; else nothing may have changed.
    """
    if not rewritten:
        return received == BEFORE + sent + AFTER
    values = [b"\r\n\r\n" + value.encode() + b"\r\n" for value in CONFIGURED.values()]
    return sent in received and all(value in received for value in values) and b"\r\n\r\nen\r\n" not in received


def length_right(file_size: int, received: int, rewritten: bool) -> bool:
    """
    Whether a body of so many bytes may be that of a form with such a recording.

    :param rewritten: whether the peer puts the configuration in, and may write the form anew.
    """
    framing = received - file_size
    return 0 < framing < 4096 if rewritten else framing == len(BEFORE) + len(AFTER)
