"""
The Resource tree: what the proxy answers itself, what it rewrites, and what it passes on.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from . import loops
from .admission import Admission
from .config import Config, names_of
from .errors import BadRequest, ForbiddenProfile, Header, NotFound, UnsupportedBody
from .forms import urlencoded
from .forms.json import JSONRewriter
from .forms.multipart import MultipartRewriter
from .forms.treatment import Treatment
from .headers import boundary_of, describing, end_to_end, forwarded, parse_content_type, upgrade_of
from .http1.heads import RequestHead
from .inbound.accesslog import Changes
from .inbound.body import BodySource, Collected, WholeBody
from .inbound.request import Request
from .relay import Notes, Relay, Rewriter, Untouched, Upload
from .routes import Mount, Route, profile_prefix, route, split_profile, takes_detour
from .stats import Stats
from .upstream.client import Upstream
from .upstream.connection import OutgoingHead

#: Most bytes of an urlencoded form, which is rewritten whole; it holds text only.
MAX_URLENCODED = 1024 * 1024

#: Headers under which a server may read another form than the one that is rewritten here.
_DISGUISES = frozenset({b"content-encoding", b"content_encoding", b"content_type"})
#: Names of what forms are read in here.
_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_MULTIPART, _JSON, _URLENCODED = b"multipart/form-data", b"application/json", b"application/x-www-form-urlencoded"


@attrs.frozen
class Target:
    """
    Where requests go.

    :ivar upstream: the server itself.
    :ivar prefix: put before each request target; empty or ``b"/…"`` without a slash at its end.
    :ivar host: the Host for requests that came without one (HTTP/1.0).
    :ivar answer_s: seconds to wait for the head of a response once the request is out; None: for ever.
    :ivar pseudonym: the name of this process, by which it knows requests that it has passed on.
    """

    upstream: Upstream
    prefix: bytes
    host: bytes
    answer_s: float | None = None
    pseudonym: bytes = attrs.field(factory=loops.new_pseudonym)


class Forwarding(Resource):
    """What passing on a request needs, whether its body is rewritten or not."""

    isLeaf = True

    def __init__(self, target: Target, stats: Stats) -> None:
        super().__init__()
        self._target = target
        self._stats = stats

    def _forward(
        self,
        request: Request,
        body: BodySource,
        headers: list[Header],
        rewriter: Rewriter,
        length: int | None,
        *,
        upgrades: bool = False,
        notes: Notes = list,
    ) -> None:
        """
        Pass a request on.

        :param body: what leaves, before the rewriter.
        :param headers: of the request that leaves, without those that speak of its connection or its way.
        :param length: of the body that leaves, in bytes; None for a chunked one.
        :param upgrades: whether another protocol is asked for.
        :param notes: gives further headers of the response.
        """
        head, destination = request.head, self._target
        if b"host" not in head.index:
            headers.insert(0, (b"Host", destination.host))
        proto = b"https" if request.isSecure() else b"http"
        headers = forwarded(head, headers, request.peer.node, proto, request.peer.trusted)
        loops.mark(head, headers, destination.pseudonym)
        if length is None:
            headers.append((b"Transfer-Encoding", b"chunked"))
        target = request.target if request.target == b"*" else destination.prefix + request.target
        outgoing = OutgoingHead(head.method, target, headers, length is None, upgrades)
        upload = Upload(request, body, outgoing, rewriter, length)
        mount = None
        if request.profile or destination.prefix:
            outside = profile_prefix(request.profile) if request.profile else b""
            mount = Mount(outside, destination.prefix, destination.host, head.values(b"host"))
        Relay(request, destination.upstream, upload, destination.answer_s, notes, mount).start()


class PassThrough(Forwarding):
    """Everything that is not a transcription: untouched, to the byte."""

    def render(self, request: Request) -> int:
        self._stats.forwarded_requests += 1
        head = request.head
        headers = end_to_end(head)
        may_upgrade = head.length == 0 and head.version == b"HTTP/1.1"
        upgrade = upgrade_of(head.connection, head.values(b"upgrade")) if may_upgrade else None
        if upgrade is not None:
            headers += [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
        self._forward(request, request.body, headers, Untouched(), head.length, upgrades=upgrade is not None)
        return NOT_DONE_YET


class Transcriptions(Forwarding):
    """``POST …/audio/transcriptions``: the form leaves as the configuration wants it."""

    def __init__(
        self,
        target: Target,
        stats: Stats,
        config: Callable[[], Config],
        admission: Admission,
        *,
        profile: str = "",
        explains: bool = False,
        max_json: int | None = None,
    ) -> None:
        """
        :param config: gives the configuration in force; asked once for each request, which keeps it to its end.
        :param admission: lets them through.
        :param profile: used where neither the URL nor the API key names another one; empty: the base.
        :param explains: whether the response tells what was done to the form.
        :param max_json: bytes that a JSON body may have; None: any number.
        """
        super().__init__(target, stats)
        self._config = config
        self._admission = admission
        self._profile = profile
        self._explains = explains
        self._max_json = max_json

    def render(self, request: Request) -> int:
        self._stats.stt_requests += 1
        head = request.head
        media, parameters = _form_type(head)
        config = self._config()
        treatment = Treatment(config.rules(_bound_profile(config, head, request.profile) or self._profile))
        path, mark, query = request.target.partition(b"?")
        request.target = path + mark + urlencoded.strip_query(treatment, query)
        notes = functools.partial(_explanation, config, treatment) if self._explains else list
        if media == _URLENCODED:
            body = Collected(request.body, MAX_URLENCODED).whole
            body.addCallback(self._collected, request, treatment, notes)
            body.addErrback(request.refuse)
            return NOT_DONE_YET
        rewriter: MultipartRewriter | JSONRewriter
        if media == _JSON:
            rewriter = JSONRewriter(treatment, head.length, self._max_json)
        else:
            # What UnityWebRequest sends ends without a closing boundary, and it names itself.
            unity = b"x-unity-version" in head.index
            rewriter = MultipartRewriter(treatment, boundary_of(parameters), head.length, open_ended=unity)
        self._admit(request, request.body, rewriter, rewriter.content_type, rewriter.length, notes)
        return NOT_DONE_YET

    def _collected(self, data: bytes, request: Request, treatment: Treatment, notes: Notes) -> None:
        """Rewrite a form that came whole."""
        body = WholeBody(urlencoded.rewrite(treatment, data))
        self._admit(request, body, Untouched(), _URLENCODED, body.length, notes)

    def _admit(
        self,
        request: Request,
        body: BodySource,
        rewriter: Rewriter,
        content_type: bytes,
        length: int | None,
        notes: Notes,
    ) -> None:
        """Pass the request on when it is its turn."""
        headers = describing(end_to_end(request.head), content_type, length)
        if self._admission.unlimited:
            self._forward(request, body, headers, rewriter, length, notes=notes)
            return
        turn = self._admission.enter()
        request.notifyFinish().addBoth(lambda _: self._admission.leave(turn))
        turn.addCallback(lambda _: self._forward(request, body, headers, rewriter, length, notes=notes))
        turn.addErrback(request.refuse)


def _bound_profile(config: Config, head: RequestHead, named: str) -> str:
    """
    The profile that a request's API key belongs to, else the one that its URL names.

    :raises BadRequest: when there are several keys, of which servers may take any.
    :raises ForbiddenProfile: when the two are not the same.
    """
    if not config.keys:
        return named
    credentials = head.values(b"authorization")
    if len(credentials) > 1:
        raise BadRequest("A request must not have more than one Authorization.")
    key = credentials[0].split(None, 1)[-1:] if credentials else []
    bound = config.keys.get(hashlib.sha256(b"".join(key).strip()).hexdigest(), "")
    if bound and named not in ("", bound):
        raise ForbiddenProfile(
            f"This API key belongs to the profile {bound!r}; leave /profiles/{named} out of the URL."
        )
    return bound or named


def _explanation(config: Config, treatment: Treatment) -> list[Header]:
    """The header that tells what was done to a form, without the values."""
    done = treatment.summary()
    return [(b"x-sttproxy-config", f"{config.generation}{'; ' * bool(done)}{done}".encode())]


def _is_plain(head: RequestHead) -> bool:
    """Whether headers that could disguise a body say that it is none."""
    names = _DISGUISES.intersection(head.index)
    return names == {b"content-encoding"} and {value.lower() for value in head.values(*names)} == {b"identity"}


def _form_type(head: RequestHead) -> tuple[bytes, dict[bytes, bytes]]:
    """
    The media type of a transcription's body, and its parameters.

    :raises UnsupportedBody: when it is none that can be rewritten.
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


class Page(Resource):
    """A page of the proxy's own: JSON, for GET and HEAD.  Monitors poll it; it is logged when its status changes."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self._changes = Changes()

    def render_GET(self, request: Request) -> bytes | int:
        raise NotImplementedError

    def _json(self, request: Request, status: int, content: dict[str, Any]) -> bytes:
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


class Health(Page):
    """``/health``: whether the upstream takes connections."""

    def __init__(self, probe: Callable[[], Deferred[str]], about: dict[str, Any]) -> None:
        """
        :param probe: fires with an empty string where the upstream takes a connection, else with what is wrong.
        :param about: further members of the answer.
        """
        super().__init__()
        self._probe = probe
        self._about = about

    def render_GET(self, request: Request) -> int:
        request.changes = self._changes
        self._probe().addCallback(self._answer, request)
        return NOT_DONE_YET

    def _answer(self, trouble: str, request: Request) -> None:
        if request.over:
            return
        content = {"status": "degraded" if trouble else "healthy", **self._about}
        if trouble:
            content["error"] = request.why = trouble
        body = self._json(request, 503 if trouble else 200, content)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.write(body)
        request.finish()


class StatsPage(Page):
    """``/stats``: the counters."""

    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._snapshot = snapshot

    def render_GET(self, request: Request) -> bytes:
        request.changes = self._changes
        return self._json(request, 200, self._snapshot())


class Root(Resource):
    """
    The root: own pages by their exact path, transcriptions by what the upstream would route, the rest passes.

    ``/profiles/NAME`` before a path chooses a profile and is taken off; own pages are not there.
    """

    def __init__(
        self,
        pages: dict[bytes, IResource],
        target: Target,
        transcriptions: IResource,
        pass_through: IResource,
        config: Callable[[], Config],
    ) -> None:
        """
        :param config: gives the configuration in force.
        """
        super().__init__()
        self._pages = pages
        self._target = target
        self._transcriptions = transcriptions
        self._pass_through = pass_through
        self._config = config

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """
        The Resource for a request, whatever its path.

        :raises BadRequest: when servers would differ on whether it is a transcription.
        :raises NotFound: when it names a profile that does not exist.
        :raises LoopDetected: when it has been passed on before.
        """
        page = self._pages.get(request.path)
        if page is not None:
            return page
        target = self._target
        loops.check(request.head, target.pseudonym)
        profile, request.target = split_profile(request.target)
        if profile is not None:
            request.profile = self._known(profile)
        kind = route(request.method, target.prefix + request.target.partition(b"?")[0])
        if takes_detour(request.head, request.target, target.prefix):
            raise BadRequest("Headers that override the method or the target must not be used for transcriptions.")
        if kind is Route.ODD:
            raise BadRequest(
                "The path may lead to the transcriptions by a detour; write it as /v1/audio/transcriptions."
            )
        return self._transcriptions if kind is Route.TRANSCRIPTION else self._pass_through

    def _known(self, profile: bytes) -> str:
        """The name of a profile that exists."""
        profiles = self._config().profiles
        name = profile.decode("utf-8", "replace")
        if name not in profiles:
            raise NotFound(f"There is no profile {name[:80]!r}; {names_of(profiles)}.")
        return name
