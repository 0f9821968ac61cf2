"""
The validated settings, from the command line, the environment and the defaults, in this order of precedence.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
from twisted.python import usage

from .embedded.model import DEFAULT_MODEL
from .options import BY_NAME, OPTIONS, PREFIX, Option
from .peers import Trusted
from .usage import suggestion
from .values import Destination
from .watch import Source


class Level(enum.IntEnum):
    """Where a value comes from.  A higher level overrides a lower one."""

    DEFAULT = 0
    ENVIRONMENT = 1
    COMMAND_LINE = 2


@attrs.frozen
class Given:
    """
    The texts of an option from one source.

    :ivar texts: one text for each occurrence of the option; a flag on the command line has the text ``1``.
    :ivar level: the kind of source.
    :ivar label: names the source in messages: ``--port`` or ``STTPROXY_PORT``.
    """

    option: Option
    texts: tuple[str, ...]
    level: Level
    label: str

    def value(self) -> Any:
        """
        The parsed value; None if there are no texts.  An option that repeats has a tuple, a flag has a bool.

        :raises UsageError: when a text is not valid.
        """
        try:
            found = tuple(self.option.kind.read(text) for text in self.texts)
        except ValueError as error:
            raise usage.UsageError(f"{self.label}: {error}") from None
        if self.option.repeats:
            return found
        if self.option.is_flag:
            return bool(found and found[0])
        return found[0] if found else None


class Sources:
    """The command line and the environment, with the table's defaults below them."""

    def __init__(self, command_line: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """
        :param command_line: the parsed command line, by the names of the options.  None, 0 or an empty list means that
            an option is not given.
        :param environment: the environment variables.
        """
        self._command_line = command_line
        self._environment = environment

    def given(self, name: str) -> Given:
        """The texts of an option from the highest level that gives it.  An empty environment variable gives nothing."""
        option = BY_NAME[name]
        parsed = self._command_line.get(name)
        if parsed is not None and parsed != [] and not (option.is_flag and not parsed):
            texts = tuple(parsed) if option.repeats else (str(parsed),)
            return Given(option, texts, Level.COMMAND_LINE, f"--{name}")
        for variable in filter(None, (option.variable, option.also)):
            text = self._environment.get(variable, "")
            if text:
                texts = tuple(filter(None, map(str.strip, text.split(",")))) if option.repeats else (text,)
                return Given(option, texts, Level.ENVIRONMENT, variable)
        return Given(option, (option.default,) if option.default else (), Level.DEFAULT, f"--{name}")

    def value(self, name: str) -> Any:
        """
        The parsed value of an option.

        :raises UsageError: when the value is not valid.
        """
        return self.given(name).value()


@attrs.frozen
class Process:
    """
    The settings from twistd's own options.

    :ivar background: whether the daemon runs in the background.
    :ivar log_file: the absolute path of the log; ``-`` for standard output; None: there is none.
    :ivar user: the uid and gid that the daemon switches to when it listens; None if it does not switch.
    :ivar logger: makes a log observer, which is used in place of the file; None: the file is.
    :ivar syslog: the name of the program for the syslog daemon, which is used in place of the file; None: the file is.
    """

    background: bool = False
    log_file: str | None = None
    user: tuple[int, int] | None = None
    logger: Callable[[], Any] | None = None
    syslog: str | None = None


@attrs.frozen(kw_only=True)
class Settings:
    """
    All settings of the daemon, parsed and validated.

    The attributes have the names of the options in `options.OPTIONS`, which describes them.  Times are in seconds,
    sizes in bytes.

    :ivar destinations: the addresses of the servers, in the order of preference; not used with `embedded`.
    :ivar source: the paths of the configuration and of the file of API keys, and the profile.
    :ivar process: the settings from twistd's own options.
    """

    host: str
    port: int
    listen: tuple[str, ...]
    socket_mode: int
    workers: int
    trust_forwarded: tuple[Trusted, ...]
    forwarded: bool
    proxy_protocol_from: tuple[Trusted, ...]
    cors_origin: tuple[str, ...]
    tls_cert: tuple[str, ...]
    tls_key: tuple[str, ...]
    tls_client_ca: str | None
    destinations: tuple[Destination, ...]
    target_ca: str | None
    target_cert: str | None
    target_key: str | None
    target_insecure: bool
    target_host_header: str | None
    target_key_file: str | None
    pool_size: int
    pool_idle: float
    source: Source
    require_key: bool
    explain_header: bool
    max_clients: int
    max_connections: int
    pool_wait: float | None
    max_transcriptions: int
    max_queue: int
    max_body: int
    max_json: int
    max_transcript: int
    connect_timeout: float
    connect_retry: float
    send_timeout: float | None
    answer_timeout: float | None
    head_timeout: float
    body_timeout: float | None
    idle_timeout: float
    drain_timeout: float
    grace: float | None
    log_format: str
    log_level: str
    log_keep: int
    monitor: tuple[str, ...]
    monitor_from: tuple[Trusted, ...]
    monitor_clients: bool
    server_timing: bool
    no_progress: bool
    embedded: bool
    embedded_model: str
    process: Process = Process()


#: Options without an attribute of the same name in `Settings`: several of them together make one setting.
_COMBINED = frozenset(
    {"target", "target-host", "target-port", "config", "profile", "profile-by-key", "embedded", "embedded-model"}
)


def settings_of(sources: Sources, process: Process = Process()) -> Settings:
    """
    Parse and validate all settings.

    :raises UsageError: when a value is not valid, or when options exclude each other.
    """
    values = {option.attribute: sources.value(option.name) for option in OPTIONS if option.name not in _COMBINED}
    embedded, destinations = _served_by(sources)
    model = sources.given("embedded-model")
    if model.texts and not embedded:
        raise usage.UsageError(f"{model.label} needs --embedded")
    if embedded and values["workers"] > 1:
        raise usage.UsageError(
            f"{sources.given('workers').label} is for a server behind; the embedded engine uses all cores by itself"
        )
    _check_tls(sources, not embedded and any(destination.secure for destination in destinations))
    if values["require_key"] and sources.value("profile-by-key") is None:
        raise usage.UsageError(f"{sources.given('require-key').label} needs --profile-by-key, the file of the keys")
    return Settings(
        **values,
        destinations=destinations,
        source=source_of(sources),
        embedded=embedded,
        embedded_model=model.value() or DEFAULT_MODEL,
        process=process,
    )


def source_of(sources: Sources) -> Source:
    """The source of the configuration."""
    config, keys = sources.given("config"), sources.value("profile-by-key")
    return Source(
        config.value(),
        keys or "",
        sources.value("profile") or "",
        required=config.level is not Level.DEFAULT,
    )


def _check_tls(sources: Sources, secure: bool) -> None:
    """
    Check that the options of TLS fit together.

    :param secure: whether a server's address is an https URL.
    :raises UsageError: when they do not.
    """
    certs, keys = sources.given("tls-cert"), sources.given("tls-key")
    if len(keys.texts) not in (0, len(certs.texts)):
        raise usage.UsageError(
            f"there are {len(certs.texts)} --tls-cert and {len(keys.texts)} --tls-key: give one key for each "
            "certificate, in the same order, or none if the keys are in the certificates' files"
        )
    ca, listen = sources.given("tls-client-ca"), sources.given("listen")
    if ca.texts and not certs.texts:
        raise usage.UsageError(f"{ca.label} needs --tls-cert")
    if certs.texts and listen.texts:
        raise usage.UsageError(f"{certs.label} is for --port; with {listen.label} give an endpoint like ssl:10241")
    for name in ("target-ca", "target-cert", "target-key", "target-insecure"):
        given = sources.given(name)
        if given.texts and not secure:
            raise usage.UsageError(f"{given.label} needs an https URL as --target")
    if sources.given("target-key").texts and not sources.given("target-cert").texts:
        raise usage.UsageError(f"{sources.given('target-key').label} needs --target-cert")
    if sources.value("target-insecure") and sources.given("target-ca").texts:
        raise usage.UsageError("--target-insecure verifies nothing; give either it or --target-ca")


def _served_by(sources: Sources) -> tuple[bool, tuple[Destination, ...]]:
    """
    Whether the embedded engine is the upstream, and the addresses of the servers otherwise.

    An option on a higher level overrides the others.

    :raises UsageError: when options on the same level exclude each other, or when a value is not valid.
    """
    engine, url = sources.given("embedded"), sources.given("target")
    parts = [sources.given("target-host"), sources.given("target-port")]
    single = max(parts, key=lambda part: part.level)
    if engine.value():
        rival = max(url, single, key=lambda part: part.level)
        if rival.level is engine.level:
            raise usage.UsageError(f"{engine.label} replaces the server; give either it or {rival.label}")
        if rival.level < engine.level:
            return True, (Destination("127.0.0.1", 0),)
    if url.level is single.level is not Level.DEFAULT:
        raise usage.UsageError(f"{url.label} contains host and port; give either it or {single.label}")
    if url.level > single.level:
        destinations = url.value()
        if len(set(destinations)) < len(destinations):
            raise usage.UsageError(f"{url.label} names the same server twice")
        return False, destinations
    host, number = (part.value() for part in parts)
    return False, (Destination(host, number),)


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Warnings about environment variables that begin with `PREFIX` and belong to no option."""
    known = {option.variable.removeprefix(PREFIX) for option in OPTIONS}
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            yield f"The environment variable {variable} belongs to no option{suggestion(name, known, PREFIX)}"
