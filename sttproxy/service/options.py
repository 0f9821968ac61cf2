"""
The command lines of ``sttproxy service``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.python import usage

from ..options import OPTIONS
from ..usage import HelpfulOptions, TableOptions


class DaemonOptions(TableOptions):
    """The options of the daemon, behind ``--``."""

    table = OPTIONS


class _ScopedOptions(HelpfulOptions):
    """What the three commands have in common."""

    optFlags: ClassVar[list[list[Any]]] = [
        ["user", None, "A service of this user, not of the system."],
    ]


class StatusOptions(_ScopedOptions):
    """``sttproxy service status``."""

    synopsis = "sttproxy service status [--user]"
    longdesc = "Shows what launchd or systemd says of the service, and exits with its status."


class UninstallOptions(_ScopedOptions):
    """``sttproxy service uninstall``."""

    synopsis = "sttproxy service uninstall [options]"
    longdesc = "Stops the service, and removes what `install` has written. A file that was changed since then stays."
    optFlags: ClassVar[list[list[Any]]] = [["dry-run", "n", "Only show what would be done."]]


class InstallOptions(_ScopedOptions):
    """``sttproxy service install``."""

    synopsis = "sttproxy service install [options] [-- options of the daemon]"
    longdesc = (
        "Writes a unit of systemd or a property list of launchd for this installation of sttproxy and starts the "
        "service, now and with the machine. Where there is no configuration, one with examples is written, which "
        "changes no request. Running it again with the same options changes nothing."
    )
    example = "sttproxy service install --user -- --target http://localhost:10240"
    optFlags: ClassVar[list[list[Any]]] = [
        ["dry-run", "n", "Only show what would be written, and the commands that would be run."],
        ["socket", None, "Let systemd hold the port, so that a restart refuses no connection."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.daemon = DaemonOptions()

    def parseArgs(self, *arguments: str) -> None:
        self.daemon.parseOptions(list(arguments))


class ServiceOptions(HelpfulOptions):
    """``sttproxy service``."""

    synopsis = "sttproxy service install|uninstall|status [options]"
    longdesc = (
        "Runs sttproxy as a service: of launchd on macOS, of systemd elsewhere. Each command has a --help. They write "
        "and remove files of their own only."
    )
    example = "sttproxy service install --user --dry-run"
    subCommands: ClassVar[list[Any]] = [
        ["install", None, InstallOptions, "Write and start a service."],
        ["uninstall", None, UninstallOptions, "Stop it, and remove what was written."],
        ["status", None, StatusOptions, "Show its state."],
    ]

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError("say install, uninstall or status")
