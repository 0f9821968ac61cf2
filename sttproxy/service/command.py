"""
What ``sttproxy service`` does.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from twisted.python import usage

from ..errors import printable
from ..options import OPTIONS, Option
from ..outcome import ERRORS, GOOD
from ..privileges import unreadable
from ..settings import Level, Process, Settings, Sources, settings_of
from . import files
from .options import DaemonOptions, ServiceOptions
from .place import Argv, Place, place_of
from .record import Record, digest, text_of

#: A uid and gid that own nothing, like those that systemd makes up for the service.
_STRANGER = (65534, 65534)


class Problem(Exception):
    """Why the command ends without success; its text is for the user."""


def service(options: ServiceOptions, out: TextIO) -> int:
    """
    Install, remove or show the service.

    :return: the exit status.
    """
    chosen = options.subOptions
    place = place_of(bool(chosen["user"]), os.environ)
    try:
        if place is None:
            raise Problem("this system has neither systemd nor launchd")
        if options.subCommand == "status":
            return subprocess.run(place.status, check=False).returncode
        act = Act(place, out, dry=bool(chosen["dry-run"]))
        if not (place.user or act.dry or os.geteuid() == 0):
            raise Problem("a service of the system needs root; write sudo before the command, or add --user")
        if options.subCommand == "install":
            act.install(chosen.daemon, with_socket=bool(chosen["socket"]))
        else:
            act.uninstall()
    except (Problem, OSError, ValueError, usage.UsageError) as error:
        out.write(f"sttproxy service: {error}\n")
        return ERRORS
    return GOOD


class Act:
    """One run of the command, or the show of one."""

    def __init__(self, place: Place, out: TextIO, *, dry: bool) -> None:
        """
        :param dry: whether it only shows what it would do.
        """
        self.dry = dry
        self._place = place
        self._out = out

    def install(self, options: DaemonOptions, *, with_socket: bool) -> None:
        """
        Write the files, and start the service.

        :param with_socket: whether systemd holds the port.
        :raises Problem: when it cannot be done.
        """
        place = self._place
        sources = Sources(options, {})
        settings = settings_of(sources, Process())
        config = settings.source.path if sources.given("config").level is Level.COMMAND_LINE else place.config
        wanted = dict(self._files(sources, settings, config, with_socket))
        record = Record.read(place.record)
        for path in wanted:
            found = text_of(path)
            if found is not None and found != wanted[path] and not record.is_ours(path, found):
                raise Problem(f"{printable(path)} exists already; remove or rename it")
        stale = [path for path in record.files if path not in wanted and path != config]
        changed = [path for path in wanted if text_of(path) != wanted[path]]
        if text_of(config) is None:
            wanted[config] = files.template("stt_config.json")
            changed.append(config)
        if self._place.logs and not os.path.isdir(self._place.logs):
            self._say(f"make the folder {place.logs}")
        for path in wanted:
            self._say(f"write {path}" if path in changed else f"{path} is as it should be")
            if self.dry and path in changed:
                self._out.writelines(f"    {line}\n" for line in wanted[path].splitlines())
        if not self.dry:
            self._write(record, {path: wanted[path] for path in changed})
        if stale:
            self._call(place.socket_unload, may_fail=True)
            self._remove(record, stale)
        if stale or any(path != config for path in changed):
            self._call(place.renew, may_fail=True)
        elif place.launchd and self._loaded():
            return
        self._call(place.socket_load if with_socket else ())
        self._call(place.load)

    def _files(self, sources: Sources, settings: Settings, config: str, with_socket: bool) -> Iterator[tuple[str, str]]:
        """
        The files of the service with their texts, without the configuration.

        :raises Problem: when the options do not fit.
        """
        place = self._place
        arguments = [f"--config={config}", *_arguments(sources)]
        program = script("twistd" if place.launchd else "sttproxy")
        if not place.user and os.geteuid() == 0:
            problem = unreadable([program, sys.executable, config], *(place.log_owner or _STRANGER))
            if problem is not None:
                raise Problem(
                    f"the user of the service cannot read {problem}; install sttproxy elsewhere, for example in "
                    "/opt/sttproxy, or install the service with --user"
                )
        if place.launchd:
            if with_socket:
                raise Problem("--socket is for systemd only")
            yield place.unit, files.property_list(place, program, arguments)
            return
        paths = map(os.path.realpath, (program, sys.executable, sys.base_prefix))
        visible = any(path.startswith(("/home/", "/root/", "/run/user/")) for path in paths)
        yield (
            place.unit,
            files.unit(place, program, arguments, home_visible=visible, generates_code=settings.embedded),
        )
        if with_socket:
            if settings.listen or settings.tls_cert:
                raise Problem("--socket is for --port without --tls-cert, and --listen replaces that")
            yield place.socket, files.socket_unit(settings.host, settings.port)
            yield place.drop_in, files.socket_drop_in(settings.host)

    def uninstall(self) -> None:
        """Stop the service, and remove what was written."""
        place = self._place
        record = Record.read(place.record)
        if not record.files:
            self._say("there is no service that this command has installed", done=True)
            return
        self._call((*place.unload, *(place.socket_unload if place.socket in record.files else ())), may_fail=True)
        self._remove(record, list(record.files))
        self._say(f"remove {place.record}")
        if not self.dry:
            record.remove()
        self._call(place.forget)

    def _write(self, record: Record, texts: dict[str, str]) -> None:
        """Write files, after the record that knows them."""
        for path, text in texts.items():
            record.make_folders(path)
            record.files[path] = digest(text)
        logs = self._place.logs
        if logs and not os.path.isdir(logs):
            record.make_folders(f"{logs}/")
            owner = self._place.log_owner
            if owner is not None:
                os.chown(logs, *owner)
        if texts:
            record.write()
        for path, text in texts.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o644)

    def _remove(self, record: Record, paths: Iterable[str]) -> None:
        """Remove files that are as they were written, and forget them all."""
        for path in paths:
            text = text_of(path)
            if text is not None and not record.is_ours(path, text):
                self._say(f"{path} was changed, and stays", done=True)
            elif text is not None:
                self._say(f"remove {path}")
                if not self.dry:
                    os.unlink(path)
            if not self.dry:
                del record.files[path]
        if not self.dry and record.files:
            record.write()

    def _loaded(self) -> bool:
        """Whether the service is loaded already."""
        return not subprocess.run(self._place.status, capture_output=True, check=False).returncode

    def _call(self, commands: Sequence[Argv], *, may_fail: bool = False) -> None:
        """
        Run commands.

        :raises Problem: when one fails that may not.
        """
        for argv in commands:
            self._say(f"run {shlex.join(argv)}")
            if self.dry:
                continue
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode and not may_fail:
                raise Problem(f"{shlex.join(argv)} failed: {done.stdout.strip()}")

    def _say(self, text: str, *, done: bool = False) -> None:
        """
        Tell what happens.

        :param done: whether it is so in a show, too.
        """
        shown = f"would {text}" if self.dry and not done and " is as it " not in text else text
        self._out.write(f"{printable(shown)}\n")


def _arguments(sources: Sources) -> Iterator[str]:
    """The options on the command line, without the configuration, and with absolute paths."""
    for option in OPTIONS:
        given = sources.given(option.name)
        if given.level is Level.COMMAND_LINE and option.name != "config":
            for text in given.texts:
                yield _argument(option, text)


def _argument(option: Option, text: str) -> str:
    if option.is_flag:
        return f"--{option.name}"
    return f"--{option.name}={option.kind.read(text) if option.kind.files else text}"


def script(name: str) -> str:
    """
    The absolute path of a script of this installation.

    :raises Problem: when it is not there.
    """
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    folders = [os.path.dirname(sys.executable), *(sysconfig.get_path("scripts", scheme) for scheme in schemes)]
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    raise Problem(f"this installation has no script {name}; it was looked for in {', '.join(dict.fromkeys(folders))}")
