"""
The files of a service: templates with the paths and the options of this installation.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from xml.sax.saxutils import escape

from .place import NOBODY, Place

#: Characters of a word that systemd takes as they are.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+/.,:@[]")

_ABOUT_AGENT = """\
    sttproxy as an agent of launchd on a Mac, in ~/Library/LaunchAgents/: it runs while its user is logged in.

    Written by `sttproxy service install` with its option for one user, which also loads it; `uninstall` with that
    option takes it away. By hand: correct the paths, copy the file there, make a folder for the log, and run
    `launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/com.sttproxy.plist`.

    The log is a file that rotates at 1 MB. `launchctl kill SIGHUP gui/$(id -u)/com.sttproxy` reloads the files."""
_ABOUT_DAEMON = """\
    sttproxy as a daemon of launchd on a Mac, in /Library/LaunchDaemons/: it runs as long as the Mac, unprivileged.

    Written by `sudo sttproxy service install`, which also loads it; `sudo sttproxy service uninstall` takes it away. By
    hand: correct the paths, copy the file there with root as its owner, make a folder for the log that belongs to the
    user nobody, and run `sudo launchctl bootstrap system /Library/LaunchDaemons/com.sttproxy.plist`.

    The log is a file that rotates at 1 MB. `sudo launchctl kill SIGHUP system/com.sttproxy` reloads the files."""


def template(name: str) -> str:
    """The text of a template."""
    return importlib.resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def unit(
    place: Place,
    program: str,
    arguments: Sequence[str],
    *,
    home_visible: bool = False,
    generates_code: bool = False,
) -> str:
    """
    The unit of systemd.

    :param program: the path of the command sttproxy.
    :param home_visible: whether the program is in a user's home.
    :param generates_code: whether the daemon writes machine code, as the embedded engine does.
    """
    return _filled(
        template("user.service" if place.user else "system.service"),
        COMMAND=" ".join(map(quoted, [program, *arguments])),
        PROTECT_HOME="read-only" if home_visible else "yes",
        DENY_WRITE_EXECUTE="no" if generates_code else "yes",
    )


def socket_unit(host: str, port: int) -> str:
    """
    The socket unit of systemd.

    :param host: the address to listen on; ``0.0.0.0`` and ``::`` stand for all, of both families.
    """
    return _filled(template("sttproxy.socket"), LISTEN=str(port) if _is_any(host) else f"{_bracketed(host)}:{port}")


def socket_drop_in(host: str) -> str:
    """The file that makes the service use the socket."""
    return _filled(template("socket.conf"), DOMAIN="INET6" if _is_any(host) or ":" in host else "INET")


def property_list(place: Place, twistd: str, arguments: Sequence[str]) -> str:
    """
    The property list of launchd.

    :param twistd: the path of the command twistd, which can write the log to a file.
    """
    command = [twistd, "--nodaemon", "--pidfile=", f"--logfile={place.logs}/sttproxy.log", "sttproxy", *arguments]
    user = "" if place.user else f"    <key>UserName</key>\n    <string>{NOBODY}</string>\n"
    return _filled(
        template("com.sttproxy.plist"),
        ABOUT=_ABOUT_AGENT if place.user else _ABOUT_DAEMON,
        ARGUMENTS="\n".join(f"        <string>{escape(word)}</string>" for word in command),
        ERRORS=escape(f"{place.logs}/errors.log"),
        USER=user,
    )


def quoted(word: str) -> str:
    """A word of a command line as systemd reads it (systemd.service(5))."""
    if word and set(word) <= _PLAIN:
        return word
    for character, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("%", "%%"), ("$", "$$")):
        word = word.replace(character, written)
    return f'"{word}"'


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::", "[::]", "")


def _bracketed(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else host


def _filled(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
