"""
Where the files of a service are, and the commands of the system that load it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Mapping

import attrs

#: A command of the system.
Argv = tuple[str, ...]
#: The user of a daemon of launchd, who owns nothing.
NOBODY = "nobody"
_LABEL = "com.sttproxy"


@attrs.frozen(kw_only=True)
class Place:
    """
    One way to run a service: by systemd or launchd, for the system or for one user.

    :ivar launchd: whether it is launchd.
    :ivar user: whether the service is for one user.
    :ivar folder: of the configuration and the record.
    :ivar unit: the path of the unit or the property list.
    :ivar logs: the folder of log files; empty: the log goes elsewhere.
    :ivar load: commands that start it, and have it started with the machine or the session.
    :ivar renew: commands after a change of its files, before `load`.
    :ivar unload: commands that undo `load`; each may fail, because there is nothing to undo.
    :ivar forget: commands after its files are gone.
    :ivar status: the command that shows its state.
    :ivar socket_load, socket_unload: commands for systemd's socket.
    """

    launchd: bool
    user: bool
    folder: str
    unit: str
    logs: str = ""
    load: tuple[Argv, ...]
    renew: tuple[Argv, ...]
    unload: tuple[Argv, ...]
    forget: tuple[Argv, ...] = ()
    status: Argv
    socket_load: tuple[Argv, ...] = ()
    socket_unload: tuple[Argv, ...] = ()

    @property
    def config(self) -> str:
        """The path of the configuration."""
        return f"{self.folder}/stt_config.json"

    @property
    def record(self) -> str:
        """The path of the list of what was written."""
        return f"{self.folder}/service.json"

    @property
    def socket(self) -> str:
        """The path of systemd's socket unit."""
        return self.unit.removesuffix(".service") + ".socket"

    @property
    def drop_in(self) -> str:
        """The path of the file that makes the service use the socket."""
        return f"{self.unit}.d/socket.conf"

    @property
    def log_owner(self) -> tuple[int, int] | None:
        """The uid and gid of the folder of log files; None: those of this process."""
        if self.user or not self.launchd:
            return None
        nobody = pwd.getpwnam(NOBODY)
        return nobody.pw_uid, nobody.pw_gid


def systemd(user: bool, environment: Mapping[str, str]) -> Place:
    """A service of systemd."""
    home = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config"
    call = ("systemctl", "--user") if user else ("systemctl",)
    name, socket = "sttproxy.service", "sttproxy.socket"
    return Place(
        launchd=False,
        user=user,
        folder=f"{home}/sttproxy" if user else "/etc/sttproxy",
        unit=f"{home}/systemd/user/{name}" if user else f"/etc/systemd/system/{name}",
        load=((*call, "enable", "--now", name),),
        renew=((*call, "daemon-reload"), (*call, "stop", name)),
        unload=((*call, "disable", "--now", name),),
        forget=((*call, "daemon-reload"),),
        status=(*call, "--no-pager", "status", name),
        socket_load=((*call, "enable", "--now", socket),),
        socket_unload=((*call, "disable", "--now", socket),),
    )


def launchd(user: bool, environment: Mapping[str, str]) -> Place:
    """A service of launchd: an agent of one user, or a daemon of the system."""
    home = environment.get("HOME", "")
    domain = f"gui/{os.getuid()}" if user else "system"
    root = f"{home}/Library" if user else "/Library"
    unit = f"{root}/{'LaunchAgents' if user else 'LaunchDaemons'}/{_LABEL}.plist"
    service = f"{domain}/{_LABEL}"
    return Place(
        launchd=True,
        user=user,
        folder=f"{home}/.config/sttproxy" if user else "/usr/local/etc/sttproxy",
        unit=unit,
        logs=f"{root}/Logs/sttproxy",
        load=(("launchctl", "enable", service), ("launchctl", "bootstrap", domain, unit)),
        renew=(("launchctl", "bootout", service),),
        unload=(("launchctl", "bootout", service),),
        status=("launchctl", "print", service),
    )


def place_of(user: bool, environment: Mapping[str, str]) -> Place | None:
    """The way to run a service on this machine; None: it has neither systemd nor launchd."""
    if sys.platform == "darwin":
        return launchd(user, environment)
    return systemd(user, environment) if shutil.which("systemctl") else None
