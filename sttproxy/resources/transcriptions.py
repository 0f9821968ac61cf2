"""
Transcriptions: requests whose form is rewritten by the configuration.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET

from ..admission import Turns
from ..config import Config
from ..errors import BadRequest, Header, UnsupportedBody
from ..forms import urlencoded
from ..forms.evaluation import Evaluation
from ..forms.json import JSONRewriter
from ..forms.multipart import MultipartRewriter
from ..headers import boundary_of, describing, end_to_end, parse_content_type, unencoded
from ..http1.requests import RequestHead
from ..inbound.body import Collected, WholeBody
from ..inbound.interfaces import BodySource
from ..inbound.request import Request
from ..monitor.audio import Sample
from ..monitor.record import RECEIVING, TRANSCRIPTION, WAITING
from ..relay import Answers, Notes, unchanged
from ..rendering import Renderer
from ..routes import canonical
from ..upload import Rewriter, Untouched
from .forwarding import Forwarding, Targets

log = Logger()

#: Most bytes of an urlencoded form.  It contains only text, and is collected before it is rewritten.
MAX_URLENCODED = 1024 * 1024

#: Headers that may make a server read a form that differs from the one rewritten here.
_DISGUISES = frozenset({b"content-encoding", b"content_encoding", b"content_type"})
#: The supported charsets of forms.
_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_MULTIPART, _JSON, _URLENCODED = b"multipart/form-data", b"application/json", b"application/x-www-form-urlencoded"


class Transcriptions(Forwarding):
    """Requests to ``…/audio/transcriptions`` and the like: the form is rewritten by the configuration."""

    def __init__(
        self,
        targets: Targets,
        config: Callable[[], Config],
        admission: Turns,
        renderer: Renderer,
        *,
        explains: bool = False,
        max_json: int | None = None,
        traces: bool = False,
    ) -> None:
        """
        :param config: returns the configuration in force.  Each request uses one configuration to its end.
        :param admission: limits how many are in flight.
        :param renderer: renders the responses for which there are rules.
        :param explains: whether the response has a header that lists what was done to the form.
        :param max_json: most bytes of a JSON body; None: any number.
        :param traces: whether the values that the rules have set are logged, at debug level.
        """
        super().__init__(targets)
        self._config = config
        self._admission = admission
        self._renderer = renderer
        self._explains = explains
        self._max_json = max_json
        self._traces = traces

    def render(self, request: Request) -> int:
        head, record = request.head, request.record
        record.route = TRANSCRIPTION
        media, parameters = _form_type(head)
        config = self._config()
        request.site.registry.chose(request.profile, request.chosen_by)
        record.profile = request.profile
        rules = config.rules(request.profile)
        record.form = evaluation = Evaluation(rules)
        record.sample = Sample()
        if self._traces:
            request.notifyFinish().addBoth(lambda _: _trace(record.request_id, evaluation))
        path, mark, query = request.target.partition(b"?")
        queried = config.reach.queried
        if queried and any(canonical(prefix + path).endswith(queried) for prefix in self._targets.prefixes):
            query = urlencoded.rewrite(Evaluation(rules), query)
            mark = b"?" if query else b""
        else:
            query = urlencoded.strip_query(evaluation, query)
        request.target = path + mark + query
        notes = functools.partial(_explanation, request, config, evaluation) if self._explains else list
        answers = self._answers(evaluation)
        if media == _URLENCODED:
            record.enter(RECEIVING, request.site.clock.seconds())
            body = Collected(request.body, MAX_URLENCODED).whole
            body.addCallback(self._collected, request, evaluation, notes, answers)
            body.addErrback(request.refuse)
            return NOT_DONE_YET
        rewriter: MultipartRewriter | JSONRewriter
        if media == _JSON:
            rewriter = JSONRewriter(evaluation, head.length, self._max_json)
        else:
            # UnityWebRequest omits the closing boundary; it sends this header.
            unity = b"x-unity-version" in head.index
            rewriter = MultipartRewriter(evaluation, boundary_of(parameters), head.length, open_ended=unity)
        self._admit(request, request.body, rewriter, rewriter.content_type, rewriter.length, notes, answers)
        return NOT_DONE_YET

    def _answers(self, evaluation: Evaluation) -> Answers:
        """What applies the rules for transcripts to the response, if there are any."""
        rules, wishes = evaluation.rules.transcript, evaluation.wishes
        if rules is None or wishes is None:
            return unchanged
        return lambda request, head: self._renderer.answer(request, rules, wishes, head)

    def _collected(self, data: bytes, request: Request, evaluation: Evaluation, notes: Notes, answers: Answers) -> None:
        """Rewrite a form that was collected."""
        request.record.enter(WAITING, request.site.clock.seconds())
        body = WholeBody(urlencoded.rewrite(evaluation, data))
        self._admit(request, body, Untouched(), _URLENCODED, body.length, notes, answers)

    def _admit(
        self,
        request: Request,
        body: BodySource,
        rewriter: Rewriter,
        content_type: bytes,
        length: int | None,
        notes: Notes,
        answers: Answers,
    ) -> None:
        """Forward the request when it is admitted."""
        headers = describing(end_to_end(request.head), content_type, length)
        if answers is not unchanged:
            headers = unencoded(headers)
        forward = functools.partial(
            self._forward, request, body, headers, rewriter, length, notes=notes, answers=answers
        )
        if self._admission.unlimited:
            forward()
            return
        turn = self._admission.enter()
        request.notifyFinish().addBoth(lambda _: self._admission.leave(turn))
        turn.addCallback(lambda _: forward())
        turn.addErrback(request.refuse)


def _explanation(request: Request, config: Config, evaluation: Evaluation) -> list[Header]:
    """The header that lists what was done to a form, without values; with the profile, if the URL does not name it."""
    profile = f"profile={request.profile}" if request.chosen_by not in ("", "url") else ""
    told = [str(config.generation), profile, evaluation.summary()]
    return [(b"x-sttproxy-config", "; ".join(filter(None, told)).encode())]


def _trace(request_id: str, evaluation: Evaluation) -> None:
    log.debug("The form of id={id}: {values}.", id=request_id, values=evaluation.values() or "unchanged")


def _is_plain(head: RequestHead) -> bool:
    """Whether the headers in `_DISGUISES` only say that the body is not encoded."""
    names = _DISGUISES.intersection(head.index)
    return names == {b"content-encoding"} and {value.lower() for value in head.values(*names)} == {b"identity"}


def _form_type(head: RequestHead) -> tuple[bytes, dict[bytes, bytes]]:
    """
    The media type of a transcription's body, and its parameters.

    :raises UnsupportedBody: when it cannot be rewritten.
    :raises BadRequest: when there is no body.
    """
    if head.has(_DISGUISES) and not _is_plain(head):
        raise UnsupportedBody(
            "A transcription must have no Content-Encoding, and no Content_Type; send the plain form."
        )
    content_types = head.values(b"content-type")
    if len(set(content_types)) != 1:
        raise UnsupportedBody("A transcription needs exactly one Content-Type, multipart/form-data.")
    media, parameters = parse_content_type(content_types[0])
    if media not in (_MULTIPART, _JSON, _URLENCODED):
        raise UnsupportedBody(f"A transcription is sent as multipart/form-data, not as {media.decode()}.")
    if parameters.get(b"charset", b"utf-8").lower() not in _CHARSETS:
        raise UnsupportedBody("A transcription's fields are sent in UTF-8: leave the charset out.")
    if head.length == 0:
        raise BadRequest("The transcription request has no body; send a form with the recording as 'file'.")
    return media, parameters
