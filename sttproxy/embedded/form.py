"""
Parses multipart bytes into a `Task`.

It collects the upload in memory as it arrives, and writes nothing to disk.  It uses a parser that shares no code with
the proxy's own forms, so it tests independently what the proxy sends.
"""

from __future__ import annotations

from io import BytesIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from sttproxy.embedded.task import FIELDS, Task, read_task
from sttproxy.errors import BadRequest, MalformedForm, ProxyError

#: Largest form in bytes.  It stays in memory while its task is in the queue; two hours of 16 kHz WAV are 230 MB.
MAX_FORM = 256 * 1024 * 1024

#: Largest text field in bytes.  This limit and the next are Starlette's, and MLX Omni Server runs with them.
MAX_FIELD = 1024 * 1024
#: Largest number of parts in one form.
MAX_PARTS = 1000


class TooLarge(BadRequest):
    """413: the upload or the recording is over a limit of this engine."""

    status = 413
    code = "too_large"


class Form:
    """
    Parses one upload.

    :meth:`feed` never raises, because a client may not read a response during its upload.  The first error is kept, the
    rest of the upload is dropped, and :meth:`finish` raises the error.
    """

    def __init__(self, content_type: str) -> None:
        self._error: ProxyError | None = None
        self._received = 0
        self._part: MultipartSegment | None = None
        self._content = BytesIO()
        self._audio: bytes | None = None
        self._fields: dict[str, list[str]] = {}
        kind, options = parse_options_header(content_type)
        try:
            if kind != "multipart/form-data":
                raise MalformedForm(f"send the recording as multipart/form-data, not as {kind or 'an unnamed type'}")
            # Not strict: strict mode refuses an epilogue, which receivers must ignore (RFC 2046 section 5.1.1).
            self._parser = PushMultipartParser(options.get("boundary", ""), max_segment_count=MAX_PARTS)
        except (ProxyError, MultipartError) as error:
            self._give_up(error)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self._error is not None:
            return
        self._received += len(data)
        try:
            if self._received > MAX_FORM:
                raise TooLarge(f"the embedded engine takes uploads up to {MAX_FORM // 1024**2} MiB", param="file")
            for event in self._parser.parse(data):
                if event is None:
                    self._end_part()
                elif isinstance(event, MultipartSegment):
                    self._part = event
                else:
                    self._add(event)
        except (ProxyError, MultipartError) as error:
            self._give_up(error)

    def finish(self) -> Task:
        """
        The task that the complete body requests.  The form is empty afterwards.

        :raises MalformedForm: when the body is not one complete multipart form.
        :raises BadRequest: when a field does not allow its value, or there is no file.
        :raises TooLarge: when the body is over one of the limits.
        """
        try:
            if self._error is not None:
                raise self._error
            self._parser.close()
            if self._audio is None:
                raise BadRequest("the form has no file: send the recording as a part named file", param="file")
            return read_task(self._audio, self._fields)
        except MultipartError as error:
            raise MalformedForm(f"the multipart body is malformed: {error}") from error
        finally:
            self._drop()

    def _add(self, data: bytes) -> None:
        assert self._part is not None
        name = self._part.name
        if name != "file" and self._content.tell() + len(data) > MAX_FIELD:
            raise TooLarge(f"the field {name!r} is over {MAX_FIELD} bytes", param=name)
        if name == "file" or name in FIELDS:
            self._content.write(data)

    def _end_part(self) -> None:
        assert self._part is not None
        part, content = self._part, self._content
        self._part, self._content = None, BytesIO()
        if part.name == "file":
            if part.filename is None:
                raise BadRequest("the part named file has no filename, so it is not an upload", param="file")
            self._audio = content.getvalue()
        elif part.name in FIELDS:
            if part.filename is not None:
                raise BadRequest(f"the field {part.name} was sent as a file; send it as text", param=part.name)
            try:
                self._fields.setdefault(part.name, []).append(content.getvalue().decode())
            except UnicodeDecodeError:
                raise BadRequest(f"the field {part.name} is not UTF-8", param=part.name) from None

    def _give_up(self, error: ProxyError | MultipartError) -> None:
        if isinstance(error, MultipartError):
            error = MalformedForm(f"the multipart body is malformed: {error}")
        self._error = error
        self._drop()

    def _drop(self) -> None:
        self._content = BytesIO()
        self._audio = None
        self._fields = {}
