"""
The transcription requests that the clients send, and the configuration that sttproxy applies to them.
"""

from __future__ import annotations

import json
import random

PATH = "/v1/audio/transcriptions"
#: The configured fields: language and model replace the client's values, prompt has multi-byte characters, and
#: prompt and response_format are added.
CONFIGURED = {
    "language": "zh",
    "prompt": "以下是普通话的会议记录。",
    "response_format": "json",
    "model": "whisper-large-v3",
}
CONFIG = json.dumps(CONFIGURED, ensure_ascii=False)
BOUNDARY = "0123456789abcdef0123456789abcdef"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"

#: The bytes of the form before and after the recording.
BEFORE = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    "Content-Type: audio/wav\r\n\r\n"
).encode()
AFTER = f"\r\n--{BOUNDARY}--\r\n".encode()


def recording(size: int) -> bytes:
    """`size` pseudo-random bytes, the same at each call.  They cannot be compressed and contain no delimiter."""
    return random.Random(size).randbytes(size)


def head(file_size: int, target: str = PATH) -> bytes:
    """The head of a request whose form has a recording of `file_size` bytes."""
    length = len(BEFORE) + file_size + len(AFTER)
    return (
        f"POST {target} HTTP/1.1\r\nHost: bench.test\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def request(file: bytes, target: str = PATH) -> bytes:
    """A complete request."""
    return head(len(file), target) + BEFORE + file + AFTER


def arrived_right(sent: bytes, received: bytes, rewritten: bool) -> bool:
    """
    Whether the sink received the correct form.

    :param sent: the recording.
    :param received: the body that the sink received.
    :param rewritten: whether the peer applies the configuration; if not, the form must be unchanged.
    """
    if not rewritten:
        return received == BEFORE + sent + AFTER
    values = [b"\r\n\r\n" + value.encode() + b"\r\n" for value in CONFIGURED.values()]
    return sent in received and all(value in received for value in values) and b"\r\n\r\nen\r\n" not in received


def length_right(file_size: int, received: int, rewritten: bool) -> bool:
    """
    Whether the length of a received body is plausible for a recording of `file_size` bytes.

    :param received: the length of the body.
    :param rewritten: whether the peer applies the configuration, so that the length may differ.
    """
    framing = received - file_size
    return 0 < framing < 4096 if rewritten else framing == len(BEFORE) + len(AFTER)
