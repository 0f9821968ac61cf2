"""
Recordings into samples, and long ones into pieces.

Decoding is PyAV's, which brings its own FFmpeg.  All of this blocks and belongs in the engine's thread; PyAV and numpy
are big and imported there, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from typing import Any

from sttproxy.embedded.form import TooLarge
from sttproxy.errors import BadRequest

#: What Whisper hears: samples per second, one channel.
SAMPLE_RATE = 16_000

#: Hours of audio in one request, at 115 MB each.  A small file can hold a great many of silence.
MAX_HOURS = 4

#: Seconds of audio given to Whisper at once.  It computes its features of all of them first, which takes 1 MB a second
#: and cannot be broken off.
PIECE_S = 300

#: Seconds before the end of a piece in which a quiet moment to cut it at is looked for, and what counts as a moment.
SEARCH_S = 30
QUIET_S = 0.2

#: FFmpeg's names of the containers that are opened.  Others stay shut, above all those that are lists of further files
#: and addresses (concat, dash, hls, sdp), which FFmpeg would open on the sender's behalf.
CONTAINERS = "aac,aiff,amr,au,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,w64,wav"


def decode(audio: bytes) -> Any:
    """
    The recording as a numpy array of int16 samples, one channel at :data:`SAMPLE_RATE`.

    :raises BadRequest: when it is not a recording, or is over :data:`MAX_HOURS`.
    """
    av = import_module("av")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    # Tags in a charset of long ago are no reason to refuse a recording.  PyAV 19 thinks so by itself.
    lenient = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
    samples = bytearray()
    try:
        with av.open(BytesIO(audio), mode="r", options={"format_whitelist": CONTAINERS}, **lenient) as container:
            for frame in _frames(av, container):
                for resampled in resampler.resample(frame):
                    samples += resampled.to_ndarray().tobytes()
                if len(samples) > MAX_HOURS * 3600 * SAMPLE_RATE * 2:
                    raise TooLarge(f"the embedded engine takes recordings up to {MAX_HOURS} hours", param="file")
    except (av.error.FFmpegError, ValueError) as error:
        raise BadRequest(
            "the file cannot be decoded as audio; what can is wav, mp3, m4a, ogg, flac, webm and the like", param="file"
        ) from error
    if not samples:
        raise BadRequest("the file holds no sound", param="file")
    return import_module("numpy").frombuffer(samples, "int16")


def pieces(samples: Any) -> Iterator[tuple[float, Any]]:
    """
    Cut int16 samples into pieces of at most :data:`PIECE_S`, in quiet moments, so that no word is cut in two.

    :return: for each piece the second at which it begins, and its samples as Whisper takes them: float32, -1 to 1.
    """
    begin, moment = 0, int(QUIET_S * SAMPLE_RATE)
    while begin < len(samples):
        end = begin + PIECE_S * SAMPLE_RATE
        if end < len(samples):
            search = end - SEARCH_S * SAMPLE_RATE
            loudness = abs(samples[search:end].astype("float32")).reshape(-1, moment).mean(axis=1)
            end = search + int(loudness.argmin()) * moment + moment // 2
        yield begin / SAMPLE_RATE, samples[begin:end].astype("float32") / 32768.0
        begin = end


def _frames(av: Any, container: Any) -> Iterator[Any]:
    """The decoded frames of the first audio stream, then None, which makes the resampler give its last samples."""
    for packet in container.demux(container.streams.audio[:1]) if container.streams.audio else ():
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:  # damaged packets are common at the cut ends of streams; skip them
            continue
        for frame in frames:
            frame.pts = None  # time stamps that jump would upset the resampler
            yield frame
    yield None
