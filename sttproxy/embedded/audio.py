"""
Decodes recordings into samples, and cuts long ones into pieces.

PyAV decodes them; it brings its own FFmpeg.  All functions here block and must run in the engine's thread.  PyAV and
numpy are big, so they are imported in that thread, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from typing import Any

from sttproxy.embedded.form import TooLarge
from sttproxy.errors import BadRequest

#: Samples per second of the audio that Whisper takes, in one channel.
SAMPLE_RATE = 16_000

#: Largest number of hours of audio in one request, at 115 MB each.  A small file can have many hours of silence.
MAX_HOURS = 4

#: Seconds of audio that Whisper gets at once.  It first computes features of the whole piece, which takes 1 MB for each
#: second and cannot be cancelled.
PIECE_S = 300

#: Seconds before the end of a piece in which the quietest moment is searched, to cut the piece there.
SEARCH_S = 30
#: Length of such a moment, in seconds.
QUIET_S = 0.2

#: FFmpeg's names of the allowed containers.  All others are refused.  The important ones are lists of further files and
#: addresses (concat, dash, hls, sdp), which FFmpeg would open for the sender.
CONTAINERS = "aac,aiff,amr,au,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,w64,wav"


def decode(audio: bytes) -> Any:
    """
    Decode a recording.

    :return: a numpy array of int16 samples, one channel at :data:`SAMPLE_RATE`.
    :raises BadRequest: when the file is not a recording, has no sound, or is longer than :data:`MAX_HOURS`.
    """
    av = import_module("av")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    # Tags in an old charset are no reason to refuse a recording.  PyAV 19 ignores such errors by default.
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
            "the file cannot be decoded as audio; send wav, mp3, m4a, ogg, flac, webm or a similar format", param="file"
        ) from error
    if not samples:
        raise BadRequest("the file has no sound", param="file")
    return import_module("numpy").frombuffer(samples, "int16")


def pieces(samples: Any) -> Iterator[tuple[float, Any]]:
    """
    Cut int16 samples into pieces of at most :data:`PIECE_S`, in quiet moments, so that no word is cut in two.

    :return: for each piece the second at which it begins, and its samples in Whisper's format: float32, -1 to 1.
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
    """The decoded frames of the first audio stream, then None, which makes the resampler return its last samples."""
    for packet in container.demux(container.streams.audio[:1]) if container.streams.audio else ():
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:  # damaged packets are common at the ends of cut streams; skip them
            continue
        for frame in frames:
            frame.pts = None  # the resampler fails on time stamps that jump
            yield frame
    yield None
