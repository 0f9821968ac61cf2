"""
Multipart bytes in, a :class:`~sttproxy.embedded.task.Task` out.

The upload is collected in memory, as it arrives: nothing is written to disk.  This reader owes nothing
to the proxy's own form code, so that what the proxy sends is judged by other eyes.
"""

from __future__ import annotations

from io import BytesIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from sttproxy.embedded.task import FIELDS, Task, read_task
from sttproxy.errors import BadRequest, MalformedForm, ProxyError

#: Bytes of a whole form.  It waits in memory until its turn has come; two hours of 16 kHz WAV are 230 MB.
MAX_FORM = 256 * 1024 * 1024

#: Bytes of one text field, and parts of one form: Starlette's limits, under which MLX Omni Server runs.
MAX_FIELD = 1024 * 1024
MAX_PARTS = 1000


class TooLarge(BadRequest):
    """413: more than this engine takes."""

    status = 413
    code = "too_large"


class Form:
    """
    One upload on its way.

    :meth:`feed` never raises: a server that answers in the middle of an upload may not be heard, so the first thing
    wrong is kept, what follows is dropped, and :meth:`finish` says it.
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
                raise MalformedForm(f"send the recording as multipart/form-data, not as {kind or 'nothing named'}")
            # Not strict: strict mode refuses an epilogue, which RFC 2046 section 5.1.1 has receivers ignore.
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
        The body is complete: what does it ask for?  The form is empty afterwards.

        :raises MalformedForm: when the body is not one whole multipart form.
        :raises BadRequest: when it asks for something that cannot be had, or brings no file.
        :raises TooLarge: when it is over one of the limits.
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
