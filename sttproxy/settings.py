"""
What the daemon was told: by the command line, by the environment, or by default, in this order of precedence.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from twisted.python import usage

from .embedded.model import DEFAULT_MODEL
from .headers import Trusted
from .options import BY_NAME, OPTIONS, PREFIX, Option
from .usage import suggestion
from .values import Destination
from .watch import Source


class Level(enum.IntEnum):
    """Where a value comes from.  The higher one wins."""

    DEFAULT = 0
    ENVIRONMENT = 1
    COMMAND_LINE = 2


@attrs.frozen
class Given:
    """
    An option's value as it was given.

    :ivar texts: one for each time that the option was given; a flag on the command line has the text ``1``.
    :ivar label: names the source in messages: ``--port`` or ``STTPROXY_PORT``.
    """

    option: Option
    texts: tuple[str, ...]
    level: Level
    label: str

    def value(self) -> Any:
        """
        The value; None where there is none.

        :raises UsageError: when it is wrong.
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

    def __init__(self, said: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """
        :param said: what the command line says, by the names of the options; None, 0 or an empty list where it says
            nothing.
        """
        self._said = said
        self._environment = environment

    def given(self, name: str) -> Given:
        """What was said of an option.  An empty variable of the environment says nothing."""
        option = BY_NAME[name]
        said = self._said.get(name)
        if said is not None and said != [] and not (option.is_flag and not said):
            texts = tuple(said) if option.repeats else (str(said),)
            return Given(option, texts, Level.COMMAND_LINE, f"--{name}")
        for variable in filter(None, (option.variable, option.also)):
            text = self._environment.get(variable, "")
            if text:
                texts = tuple(filter(None, map(str.strip, text.split(",")))) if option.repeats else (text,)
                return Given(option, texts, Level.ENVIRONMENT, variable)
        return Given(option, (option.default,) if option.default else (), Level.DEFAULT, f"--{name}")

    def value(self, name: str) -> Any:
        """
        The value of an option.

        :raises UsageError: when it is wrong.
        """
        return self.given(name).value()


@attrs.frozen
class Process:
    """
    What twistd itself was told.

    :ivar background: the daemon goes into the background.
    :ivar log_file: the absolute path of the log; ``-`` for standard output; None where twistd logs in another way.
    :ivar user: the uid and gid that the daemon changes to once it listens; None: it does not change them.
    """

    background: bool = False
    log_file: str | None = None
    user: tuple[int, int] | None = None


@attrs.frozen(kw_only=True)
class Settings:
    """
    All that the daemon was told, read and judged.

    Attributes are named like the options of the table, which says what they mean; times are in seconds, sizes in bytes.

    :ivar destination: the upstream; with `embedded` an address that is not used.
    :ivar source: the configuration, the file of API keys and the profile.
    """

    host: str
    port: int
    listen: tuple[str, ...]
    socket_mode: int
    trust_forwarded: tuple[Trusted, ...]
    destination: Destination
    pool_size: int
    pool_idle: float
    source: Source
    explain_header: bool
    max_clients: int
    max_connections: int
    pool_wait: float | None
    max_transcriptions: int
    max_queue: int
    max_body: int
    max_json: int
    connect_timeout: float
    connect_retry: float
    send_timeout: float | None
    answer_timeout: float | None
    head_timeout: float
    body_timeout: float | None
    idle_timeout: float
    drain_timeout: float
    grace: float | None
    log_keep: int
    embedded: bool
    embedded_model: str
    process: Process = Process()


#: Options that several of together make one setting.
_COMBINED = frozenset(
    {"target", "target-host", "target-port", "config", "profile", "profile-by-key", "embedded", "embedded-model"}
)


def settings_of(sources: Sources, process: Process = Process()) -> Settings:
    """
    Read and judge what the daemon was told.

    :raises UsageError: when it is wrong.
    """
    values = {option.attribute: sources.value(option.name) for option in OPTIONS if option.name not in _COMBINED}
    embedded, destination = _served_by(sources)
    model = sources.given("embedded-model")
    if model.texts and not embedded:
        raise usage.UsageError(f"{model.label} is for --embedded")
    return Settings(
        **values,
        destination=destination,
        source=source_of(sources),
        embedded=embedded,
        embedded_model=model.value() or DEFAULT_MODEL,
        process=process,
    )


def source_of(sources: Sources) -> Source:
    """Where the configuration is.  Paths become absolute, for twistd changes directory in the background."""
    config, keys = sources.given("config"), sources.value("profile-by-key")
    return Source(
        os.path.abspath(config.value()),
        os.path.abspath(keys) if keys else "",
        sources.value("profile") or "",
        required=config.level is not Level.DEFAULT,
    )


def _served_by(sources: Sources) -> tuple[bool, Destination]:
    """
    Whether the embedded engine serves, and else which server does.  What is given on a higher level excludes the rest.

    :raises UsageError: when two of them are given on one level, or the one that counts is wrong.
    """
    engine, url = sources.given("embedded"), sources.given("target")
    parts = [sources.given("target-host"), sources.given("target-port")]
    single = max(parts, key=lambda part: part.level)
    if engine.value():
        rival = max(url, single, key=lambda part: part.level)
        if rival.level is engine.level:
            raise usage.UsageError(f"{engine.label} serves from inside; it excludes {rival.label}")
        if rival.level < engine.level:
            return True, Destination("127.0.0.1", 0)
    if url.level is single.level is not Level.DEFAULT:
        raise usage.UsageError(f"{url.label} stands for host and port; give either it or {single.label}")
    if url.level > single.level:
        return False, url.value()
    host, number = (part.value() for part in parts)
    return False, Destination(host, number)


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Warnings of variables that look like those of options and are none."""
    known = {option.variable.removeprefix(PREFIX) for option in OPTIONS}
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            yield f"The environment variable {variable} belongs to no option{suggestion(name, known, PREFIX)}"
