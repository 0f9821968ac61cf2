"""
The files of `etc/` for HAProxy, Caddy and nginx at work on this machine: before sttproxy and behind it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar, TypeVar

from .certificates import certificate
from .daemon import foreground, opens
from .frontends import program
from .process import ROOT, Process, read, until
from .system import unused_port

_SPEECH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "speech.py")
ETC = Path(ROOT) / "etc"

R = TypeVar("R", bound="Restarted")


class Restarted(ABC):
    """
    A process that can be ended and started again, on the same port.

    :ivar port: the port that it serves on.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.folder = tempfile.mkdtemp(prefix="stt-stage-")
        self._process: Process | None = None
        self.start()

    @abstractmethod
    def command(self) -> list[str]:
        """The command that runs it in the foreground."""

    def start(self) -> None:
        """Start it, and wait until it serves."""
        home = {
            "HOME": self.folder,
            "XDG_DATA_HOME": self.folder,
            "XDG_CONFIG_HOME": self.folder,
            "TMPDIR": self.folder,
        }
        self._process = process = Process(self.command(), self.folder, "process", env=home)
        try:
            until(lambda: opens(str(self.port)), f"a process at the port {self.port}: {process.err}")
        except BaseException:
            print(self.output())
            self.close()
            raise

    def end(self, number: signal.Signals) -> int:
        """End it by a signal; return its exit status when it has ended."""
        assert self._process is not None
        self._process.signal(number)
        return self._process.wait()

    def output(self) -> str:
        """What it has written."""
        assert self._process is not None
        return read(self._process.out) + read(self._process.err)

    def close(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class SpeechServer(Restarted):
    """A fake speech server."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        super().__init__(port)

    def command(self) -> list[str]:
        return [sys.executable, _SPEECH, self.name, str(self.port)]


class Proxy(Restarted):
    """sttproxy, with the options that a file of `etc/` names in its first lines."""

    def __init__(self, file: str, port: int, replaced: Mapping[str, str], *further: str) -> None:
        """
        :param file: the path of the file below `etc/`.
        :param replaced: what stands for addresses and paths in the options.
        :param further: more options.
        """
        found = re.search(r"^#   twistd -n sttproxy (.*)$", (ETC / file).read_text("utf-8"), re.MULTILINE)
        assert found is not None, f"{file} does not tell how to start sttproxy"
        self._options = [replaced.get(word, word) for word in shlex.split(found[1])] + list(further)
        super().__init__(port)

    def command(self) -> list[str]:
        listen = ("--host", "127.0.0.1", "--port", str(self.port))
        return foreground(*self._options, *listen)


class Balancer(Restarted):
    """
    A program with a file of `etc/`, in which only addresses and paths are replaced.

    :cvar program: the command.
    """

    program: ClassVar[str]

    def __init__(self, file: str, port: int, servers: Sequence[int], first: str) -> None:
        """
        :param file: its path below `etc/`.
        :param servers: the ports of the servers.
        :param first: the address of the first server in the file, whose last number counts up.
        """
        beginning, number, address_port = re.fullmatch(r"(.*\.)(\d+)(:\d+)", first).groups()  # type: ignore[union-attr]
        self._replaced = {
            f"{beginning}{int(number) + index}{address_port}": f"127.0.0.1:{server}"
            for index, server in enumerate(servers)
        }
        self._text = (ETC / file).read_text("utf-8")
        super().__init__(port)

    def adapted(self, further: Mapping[str, str]) -> str:
        """
        The file for this machine.

        :raises AssertionError: when something that is replaced is not in it.
        """
        text = self._text
        for there, here in {**self._replaced, **further}.items():
            assert there in text, f"the file has no {there}"
            text = text.replace(there, here)
        return text

    def write(self, text: str) -> str:
        """Write the configuration; return its path."""
        path = os.path.join(self.folder, "configuration")
        Path(path).write_text(text, "utf-8")
        return path

    @classmethod
    def installed(cls) -> bool:
        """Whether the program is there."""
        return program(cls.program) is not None

    @classmethod
    def executable(cls) -> str:
        """The path of the program."""
        return program(cls.program) or cls.program


class HAProxy(Balancer):
    """HAProxy."""

    program = "haproxy"

    def command(self) -> list[str]:
        further = {"/run/haproxy/": f"{self.folder}/"}
        if "bind :443" in self._text:
            further["bind :443"] = f"bind 127.0.0.1:{self.port}"
        else:
            further["bind 127.0.0.1:10240"] = f"bind 127.0.0.1:{self.port}"
        if " crt " in self._text:
            further["/etc/haproxy/stt.example.com.pem"] = certificate("server.pem")
        return [self.executable(), "-db", "-f", self.write(self.adapted(further))]


class Caddy(Balancer):
    """Caddy."""

    program = "caddy"

    def command(self) -> list[str]:
        if "stt.example.com" in self._text:
            pem = certificate("server.pem")
            names = f"https://localhost:{self.port}, https://127.0.0.1:{self.port}"
            site = {"\nstt.example.com {": f"\n{names} {{\n\ttls {pem} {pem}"}
            before = "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n}\n"
        else:
            site, before = {"http://127.0.0.1:10240": f"http://127.0.0.1:{self.port}"}, ""
        return [self.executable(), "run", "--adapter", "caddyfile", "--config", self.write(before + self.adapted(site))]


class Nginx(Balancer):
    """nginx."""

    program = "nginx"

    def command(self) -> list[str]:
        if "listen 443" in self._text:
            pem = certificate("server.pem")
            further = {"listen 443": f"listen 127.0.0.1:{self.port}", "/etc/nginx/stt.example.com.pem": pem}
        else:
            further = {"listen 127.0.0.1:10240": f"listen 127.0.0.1:{self.port}"}
        # Workers of root run as another user, who cannot read the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        text = f"""\
{user}
daemon off;
pid {self.folder}/pid;
master_process off;
error_log stderr warn;
events {{ }}
http {{
access_log off;
{temporary}
{self.adapted(further)}
}}
"""
        return [self.executable(), "-e", "stderr", "-c", self.write(text)]


def started(stack: ExitStack, process: R) -> R:
    """A process that ends with a stack."""
    return stack.enter_context(closing(process))


def speech_servers(stack: ExitStack) -> list[SpeechServer]:
    """Three servers that end with a stack."""
    return [started(stack, SpeechServer(name, unused_port())) for name in ("one", "two", "three")]
