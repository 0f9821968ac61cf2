"""
The command line, and the only place where the rooms are put together.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import sys
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, ClassVar
from urllib.parse import urlsplit

import attrs
from twisted.internet import endpoints
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python import usage

from . import __version__, descriptors, loops, pidfile, privileges
from .admission import Admission
from .clock import make_monotonic
from .commands import COMMANDS, DEFAULT_CONFIG, HelpfulOptions, source_of, suggestion
from .daemon import Daemon, StartError
from .errors import ConfigError, printable
from .headers import UNIX, Trusted, TrustedPeers
from .inbound.site import Limits, Site, Timeouts
from .logs import destination as log_files
from .logs.observer import TextObserver
from .resources.forwarding import PassThrough, Target
from .resources.pages import Health, StatsPage
from .resources.root import Root
from .resources.transcriptions import Transcriptions
from .stats import Stats
from .upstream.agent import UpstreamAgent
from .upstream.client import Upstream
from .upstream.dial import Dialer, tcp_endpoint
from .upstream.pool import Pool, PoolLimits
from .upstream.probe import Probe
from .watch import ConfigWatcher

log = Logger()

#: Connections that may wait to be accepted; Twisted's 50 are less than one burst of clients.
BACKLOG = 1024


def port(text: str) -> int:
    """
    A TCP port; 0 lets the system choose.

    :raises ValueError: when it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port; it must be a number from 0 to 65535")
    return int(text)


def seconds(text: str) -> float:
    """
    A time.

    :raises ValueError: when it is not a positive number.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise ValueError(f"{text!r} is not a time; it must be a positive number of seconds")
    return number


def seconds_or_for_ever(text: str) -> float | None:
    """
    A time; 0 is None, no limit.

    :raises ValueError: when it is neither.
    """
    return None if text == "0" else seconds(text)


def seconds_or_none(text: str) -> float:
    """
    A time, 0 among them.

    :raises ValueError: when it is none.
    """
    return 0.0 if text == "0" else seconds(text)


def trusted(text: str) -> Trusted:
    """
    Peers whose forwarded headers are believed: an address, a network, or those at Unix sockets.

    :raises ValueError: when it is none of them.
    """
    if text == UNIX:
        return UNIX
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address like 10.0.0.1, nor a network like 10.0.0.0/8, nor the word {UNIX!r} for the "
            "peers at Unix sockets"
        ) from None


def mode(text: str) -> int:
    """
    Permissions of a file.

    :raises ValueError: when they are none.
    """
    if not re.fullmatch("0?[0-7]{3}", text):
        raise ValueError(f"{text!r} is not a file mode; it must be three octal digits, like 0660")
    return int(text, 8)


def count(text: str) -> int:
    """
    A number of things.

    :raises ValueError: when it is not 0 or more.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a count; it must be a whole number, 0 or more")
    return int(text)


@attrs.frozen
class Destination:
    """
    The upstream as the command line names it.

    :ivar prefix: of every path there; without a slash at its end.
    """

    host: str
    port: int
    prefix: str = ""

    @property
    def name(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


#: The pidfile that twistd has unless it is told another.
_DEFAULT_PIDFILE = "twistd.pid"

#: How the values of options are read.
_KINDS: dict[str, Callable[[str], Any]] = {
    "port": port,
    "target-port": port,
    "pool-size": count,
    "pool-idle": seconds,
    "log-keep": count,
    "max-clients": count,
    "max-connections": count,
    "pool-wait": seconds_or_for_ever,
    "max-transcriptions": count,
    "max-queue": count,
    "max-body": count,
    "max-json": count,
    "connect-timeout": seconds,
    "connect-retry": seconds_or_none,
    "send-timeout": seconds_or_for_ever,
    "answer-timeout": seconds_or_for_ever,
    "head-timeout": seconds,
    "body-timeout": seconds_or_for_ever,
    "idle-timeout": seconds,
    "drain-timeout": seconds,
    "grace": seconds_or_for_ever,
    "socket-mode": mode,
}


class Options(HelpfulOptions):
    """The options of ``twistd sttproxy``."""

    synopsis = "[options]"
    longdesc = (
        "A proxy in front of a speech-to-text server: it forces the form fields of a JSON file into every "
        "transcription request and passes everything else untouched. The file is read again whenever it changes. "
        "An option beats the environment (STT_CONFIG_PATH, TARGET_HOST, TARGET_PORT), "
        "the environment beats the default. Commands that need no daemon: sttproxy check, sttproxy explain, sttproxy "
        "schema; each has a --help."
    )

    optParameters: ClassVar[list[list[Any]]] = [
        ["host", None, "0.0.0.0", "Address to listen on; :: for IPv6."],
        ["port", None, "10241", "Port to listen on."],
        ["socket-mode", None, "0660", "Permissions of the sockets of --listen unix:…, where that names no mode."],
        ["target-host", None, None, "Host of the speech-to-text server [default: localhost]"],
        ["target-port", None, None, "Its port [default: 10240]"],
        ["target", None, None, "The server as a URL, http://host:port/prefix, instead of the two."],
        ["config", None, None, f"The JSON file of forced fields [default: {DEFAULT_CONFIG}]"],
        ["profile", None, None, "The profile of transcriptions that name none."],
        ["profile-by-key", None, None, 'A JSON file of API keys and their profiles, {"sha256:…": "name"}.'],
        ["pool-size", None, "32", "Idle connections to the server that are kept."],
        ["pool-idle", None, "4", "Seconds that one is kept; uvicorn closes its side at 5."],
        ["max-clients", None, "0", "Clients that may be connected; 0: as many as the limit on open files allows."],
        ["max-connections", None, "0", "Connections to the server that may exist at all; 0: any number."],
        ["pool-wait", None, "30", "Seconds that a request waits for one of them; 0: for ever."],
        ["max-transcriptions", None, "0", "Transcriptions that are let through at once; 0: all."],
        ["max-queue", None, "100", "Transcriptions that may wait for that; further ones get 503."],
        ["max-body", None, "0", "Bytes that a request's body may have; 0: any number."],
        ["max-json", None, "67108864", "Bytes that a transcription in JSON may have; 0: any number."],
        ["connect-timeout", None, "5", "Seconds to wait for a connection to the server, its name included."],
        ["connect-retry", None, "2", "Seconds to try again for where the server refuses connections; 0: no time."],
        ["send-timeout", None, "60", "Seconds that the server may take for each 64 KiB of a request; 0: for ever."],
        ["answer-timeout", None, "0", "Seconds to wait for the server's answer; 0: for ever."],
        ["head-timeout", None, "10", "Seconds that a client may take for a request's head."],
        ["body-timeout", None, "30", "Seconds that it may take for each 4 KiB of body; 0: for ever."],
        ["idle-timeout", None, "75", "Seconds that a client's idle connection is kept."],
        ["drain-timeout", None, "30", "Seconds that a client may take to notice an early answer."],
        ["log-keep", None, "10", "Full log files, of 1 MB each, that are kept; 0: all."],
        ["grace", None, "30", "Seconds that requests in flight are given on SIGTERM; 0: any time."],
        ["embedded-model", None, None, "The model of --embedded: a name or a folder [default: tiny.en]"],
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["explain-header", None, "Tell in a response header what was done to a form: x-sttproxy-config."],
        ["embedded", None, "Serve transcriptions from inside, by faster-whisper, instead of a server."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["trust-forwarded"] = []

    def opt_listen(self, description: str) -> None:
        """A Twisted endpoint to listen on instead of --host and --port, like tcp6:10241 or unix:/run/stt.sock; may be
        repeated."""
        self["listen"].append(description)

    def opt_trust_forwarded(self, text: str) -> None:
        """An address or a network of proxies whose X-Forwarded-For, -Proto and -Host are believed, or the word unix for
        those that connect to Unix sockets; may be repeated."""
        try:
            self["trust-forwarded"].append(trusted(text))
        except ValueError as error:
            raise usage.UsageError(f"--trust-forwarded: {error}") from None

    def parseOptions(self, options: Any = None) -> None:
        """
        Read the command line.

        :raises StartError: when it is wrong, in one line.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise StartError(f"{error} (see --help)") from None

    def parseArgs(self, *arguments: str) -> None:
        """Takes no positional arguments."""
        if arguments:
            hint = suggestion(arguments[0], COMMANDS)
            raise usage.UsageError(f"the argument {arguments[0]!r} belongs to no option{hint}")

    def postOptions(self) -> None:
        for name, kind in _KINDS.items():
            if self[name] is not None:
                try:
                    self[name] = kind(str(self[name]))
                except ValueError as error:
                    raise usage.UsageError(f"--{name}: {error}") from None
        self._check_pidfile()
        self["destination"] = self._destination()
        self["source"] = source_of(self["config"], self["profile-by-key"], self["profile"])
        if self["embedded-model"] and not self["embedded"]:
            raise usage.UsageError("--embedded-model is for --embedded")

    def _check_pidfile(self) -> None:
        """
        In the foreground none is needed, so there is none, unless it is named.

        :raises StartError: when one keeps the daemon from starting; twistd would take several lines for that.
        """
        twistd: Any = self.parent
        if twistd is None or not twistd["pidfile"]:
            return
        if twistd["nodaemon"] and twistd["pidfile"] == _DEFAULT_PIDFILE:
            twistd["pidfile"] = ""
            return
        try:
            pidfile.clear(os.path.abspath(twistd["pidfile"]))
        except pidfile.PidfileError as error:
            raise StartError(printable(str(error))) from None

    def _destination(self) -> Destination:
        if self["embedded"]:
            if self["target"] or self["target-host"] or self["target-port"]:
                raise usage.UsageError("--embedded serves from inside; it has no --target")
            return Destination("127.0.0.1", 0)
        if self["target"]:
            if self["target-host"] or self["target-port"] is not None:
                raise usage.UsageError("--target stands for --target-host and --target-port; give one or the other")
            return _parse_target(self["target"])
        host = self["target-host"] or os.environ.get("TARGET_HOST") or "localhost"
        number = self["target-port"]
        if number is None:
            try:
                number = port(os.environ.get("TARGET_PORT") or "10240")
            except ValueError as error:
                raise usage.UsageError(f"TARGET_PORT: {error}") from None
        return Destination(_check_host("--target-host", host), number)


#: An address without its scheme.
_AUTHORITY = re.compile(r"[\w.\-]+(:[0-9]+)?(/\S*)?")
#: Paths that requests ask for, which are not part of a server's address.
_ENDPOINT = re.compile(
    r"(?:/v1)?/(?:audio/(?:transcriptions|translations|speech)|(?:chat/)?completions|embeddings|models|responses"
    r"|images/\w+|realtime|messages)\Z"
)


def _parse_target(url: str) -> Destination:
    try:
        parts = urlsplit(url)
        number = parts.port
    except ValueError as error:
        raise usage.UsageError(f"--target {url!r}: {error}") from None
    if parts.scheme == "https":
        raise usage.UsageError(f"--target {url!r}: TLS to the server is not offered yet; give its http:// address")
    if parts.scheme != "http" or not parts.hostname:
        hint = f"; did you mean http://{url}?" if _AUTHORITY.fullmatch(url) else ""
        raise usage.UsageError(f"--target {url!r} must be a URL like http://host:10240/prefix{hint}")
    if parts.username is not None or parts.query or parts.fragment:
        raise usage.UsageError(f"--target {url!r} must not hold a user, a query or a fragment")
    prefix = parts.path.rstrip("/")
    endpoint = _ENDPOINT.search(prefix)
    if endpoint is not None:
        base = f"http://{parts.netloc}{prefix[: endpoint.start()]}"
        raise usage.UsageError(f"--target {url!r} names an endpoint; it must be what stands before: {base}")
    if not prefix.isascii() or not prefix.isprintable() or " " in prefix:
        raise usage.UsageError(f"--target {url!r}: the path must be percent-encoded")
    return Destination(_check_host("--target", parts.hostname), 80 if number is None else number, prefix)


def _check_host(option: str, host: str) -> str:
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        if not host.isprintable() or " " in host or "/" in host:
            raise UnicodeError
        # What `socket.getaddrinfo` makes of it; that takes underscores.
        host.encode("idna")
    except UnicodeError:
        raise usage.UsageError(f"{option}: {host!r} is not a host name or address") from None
    return host


def makeService(options: Options) -> Daemon:
    """
    Put the daemon together.

    :raises StartError: when the configuration cannot be used, or an endpoint cannot be understood.
    """
    from twisted.internet import reactor

    clock: Any = reactor
    make_monotonic(clock)
    watcher = ConfigWatcher(
        options["source"], clock, lambda judge: deferToThreadPool(clock, clock.getThreadPool(), judge)
    )
    try:
        watcher.load()
    except ConfigError as error:
        raise StartError(str(error)) from None
    observer = _observer(clock, options)
    user = _user(options)
    if user is not None:
        problem = privileges.unreadable(watcher.files, *user)
        if problem is not None:
            raise StartError(f"the user of --uid and --gid cannot read {printable(problem)}")

    destination: Destination = options["destination"]
    stats = Stats()
    engine = resolver = None
    endpoint: IStreamClientEndpoint
    if options["embedded"]:
        engine = endpoint = _engine(clock, options["embedded-model"])
        name = "the embedded engine"
    else:
        name = destination.name
        endpoint, resolver = tcp_endpoint(clock, destination.host, destination.port, options["connect-timeout"])
    dialer = Dialer(clock, endpoint, name, options["connect-timeout"], options["connect-retry"], resolver)
    limits = PoolLimits(
        size=options["pool-size"],
        idle_s=options["pool-idle"],
        total=options["max-connections"],
        wait_s=options["pool-wait"],
        send_s=options["send-timeout"],
    )
    pool = Pool(clock, dialer.connect, limits)
    target = Target(
        Upstream(UpstreamAgent(pool), clock, f"http://{destination.name}"),
        prefix=destination.prefix.encode(),
        host=destination.name.encode(),
        answer_s=options["answer-timeout"],
    )
    open_files = descriptors.usable(descriptors.raise_limit(), clock)
    max_clients = _max_clients(options["max-clients"], options["max-connections"], open_files)
    admission = Admission(options["max-transcriptions"], options["max-queue"])
    started = clock.seconds()

    def snapshot() -> dict[str, Any]:
        return {
            "version": __version__,
            "uptime_s": round(clock.seconds() - started, 3),
            "upstream": name,
            **stats.snapshot(),
            "queued": admission.waiting,
            "max_clients": max_clients,
            "descriptors": {"open": descriptors.open_now(), "limit": open_files},
            "config": watcher.snapshot(),
        }

    root = Root(
        {
            b"/health": Health(Probe(dialer.attempt, pool), {"upstream": name, "version": __version__}),
            b"/stats": StatsPage(snapshot),
        },
        target,
        Transcriptions(
            target,
            stats,
            lambda: watcher.current,
            admission,
            profile=options["source"].profile,
            explains=bool(options["explain-header"]),
            max_json=options["max-json"] or None,
        ),
        PassThrough(target, stats),
        lambda: watcher.current,
    )
    timeouts = Timeouts(*(options[f"{phase}-timeout"] for phase in ("head", "body", "idle", "drain")))
    most = Limits(options["max-body"] or None, max_clients)
    site = Site(root, clock, stats, timeouts, most, TrustedPeers(options["trust-forwarded"]))
    leads_to = functools.partial(loops.leads_to, destination.host, destination.port)
    daemon = Daemon(clock, site, pool, name + destination.prefix, options["grace"], watcher.reload, leads_to, observer)
    if engine is not None:
        engine.setServiceParent(daemon)
    watcher.setServiceParent(daemon)
    wanted = [(_with_mode(description, options["socket-mode"]), description) for description in options["listen"]]
    for description, where in wanted or [_tcp(options["host"], options["port"])]:
        daemon.listen(_endpoint(clock, description, where), printable(where))
    if options.parent is not None and not options.parent["nodaemon"]:
        daemon.open()
    return daemon


def _user(options: Options) -> tuple[int, int] | None:
    """
    The user and group that twistd will switch to; None where it does not.

    :raises StartError: when it may not.
    """
    twistd: Any = options.parent
    user = None if twistd is None else privileges.ids(twistd["uid"], twistd["gid"])
    if user is not None and os.geteuid():
        raise StartError("--uid and --gid are for root, who alone may become another user")
    return user


def _observer(reactor: Any, options: Options) -> TextObserver | None:
    """
    What writes the log; None where twistd has been told another way (--logger, --syslog).

    :raises StartError: when the log file cannot be opened.
    """
    twistd: Any = options.parent
    if twistd is None or twistd["logger"] or twistd["syslog"]:
        return None
    path = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
    if path == "-" and not twistd["nodaemon"]:
        return None  # twistd refuses to start then
    destination: log_files.Destination
    if path == "-":
        destination = log_files.Stream(reactor, sys.stdout.fileno())
    else:
        path = os.path.abspath(path)
        try:
            destination = log_files.open_file(reactor, path, options["log-keep"], _user(options))
        except OSError as error:
            raise StartError(f"the log file {printable(path)} cannot be opened: {error.strerror}") from None
    atexit.register(destination.close)
    return TextObserver(destination)


def _endpoint(reactor: Any, description: str, where: str) -> IStreamServerEndpoint:
    """
    What to listen at.

    :param where: the description as it was given.
    :raises StartError: when it is none.
    """
    if description.startswith("systemd:") and not os.environ.get("LISTEN_FDS"):
        raise StartError(f"--listen {where!r} takes a socket from systemd, which gave none: LISTEN_FDS is not set")
    try:
        endpoint: IStreamServerEndpoint = endpoints.serverFromString(reactor, description)
    except Exception as error:  # endpoint parsers are plugins and raise what they like
        hint = "systemd gave no socket of that number or name" if description.startswith("systemd:") else str(error)
        raise StartError(f"--listen {where!r} is not an endpoint: {hint}") from None
    return endpoint


def _max_clients(wanted: int, connections: int, open_files: int) -> int:
    """
    How many clients there may be.

    :param wanted: by the command line; 0: any number.
    :param connections: to the server that may exist at all; 0: any number.
    :param open_files: descriptors that there may be.
    """
    allowed = descriptors.clients(open_files, connections)
    if wanted > allowed:
        log.warn(
            "--max-clients {wanted}: with {limit} open files, two for each client, there is room for {allowed}. "
            "Raise the limit (ulimit -n), or bound those to the server by --max-connections.",
            wanted=wanted,
            limit=open_files,
            allowed=allowed,
        )
    return min(wanted or allowed, allowed)


def _with_mode(description: str, mode: int) -> str:
    """The description of an endpoint, with a mode if it is that of a Unix socket; its own comes later and beats it."""
    return re.sub(r"\A((?:haproxy:)?unix:)", rf"\g<1>mode={mode:o}:", description)


def _tcp(host: str, number: int) -> tuple[str, str]:
    """The endpoint of --host and --port, and how messages call it."""
    interface = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    quoted = endpoints.quoteStringArgument(interface)
    return f"tcp:{number}:interface={quoted}:backlog={BACKLOG}", f"{interface}:{number}"


def _engine(reactor: Any, model: str | None) -> Any:
    """
    The speech engine of --embedded.

    :raises StartError: when it is not installed.
    """
    from . import embedded

    try:
        embedded.check_installed()
    except Exception as error:
        raise StartError(str(error)) from None
    return embedded.EmbeddedEngine(reactor, model or embedded.DEFAULT_MODEL)
