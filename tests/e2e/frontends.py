"""
Caddy and nginx as servers that speak HTTP/2 over TLS, in front of another server on HTTP/1.1.

Their responses tell the version of the request in `X-Protocol`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod

from .certificates import certificate
from .daemon import opens
from .process import Process, until
from .system import unused_port


def program(name: str) -> str | None:
    """The path of a command, also of one that is for root only; None if it is not installed."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


class Frontend(ABC):
    """
    One of them.

    :cvar program: the command.
    :ivar port: the port that it serves on.
    """

    program: str

    def __init__(self, backend_port: int) -> None:
        self.port = unused_port()
        self._folder = tempfile.mkdtemp(prefix="stt-frontend-")
        path = os.path.join(self._folder, "configuration")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.configuration(self._folder, backend_port))
        home = {"HOME": self._folder, "XDG_DATA_HOME": self._folder, "XDG_CONFIG_HOME": self._folder}
        self._process = Process(self.command(path), self._folder, self.program, env=home)
        try:
            until(lambda: opens(str(self.port)), f"{self.program} on port {self.port}")
        except BaseException:
            self.close()
            raise

    @classmethod
    def installed(cls) -> bool:
        """Whether the program is there."""
        return program(cls.program) is not None

    @abstractmethod
    def configuration(self, folder: str, backend_port: int) -> str:
        """The text of its file."""

    @abstractmethod
    def command(self, path: str) -> list[str]:
        """The command that runs it in the foreground with this file."""

    def close(self) -> None:
        """End it."""
        self._process.end()
        shutil.rmtree(self._folder, ignore_errors=True)


class Caddy(Frontend):
    program = "caddy"

    def configuration(self, folder: str, backend_port: int) -> str:
        return f"""\
{{
  admin off
  auto_https off
  skip_install_trust
}}
https://localhost:{self.port}, https://127.0.0.1:{self.port} {{
  bind 127.0.0.1
  tls {certificate("server.pem")} {certificate("server.pem")}
  header X-Protocol {{http.request.proto}}
  reverse_proxy 127.0.0.1:{backend_port}
}}
"""

    def command(self, path: str) -> list[str]:
        return ["caddy", "run", "--config", path, "--adapter", "caddyfile"]


class Nginx(Frontend):
    program = "nginx"

    def configuration(self, folder: str, backend_port: int) -> str:
        # Workers of root run as another user, who cannot read the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        return f"""\
{user}
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr error;
events {{ }}
http {{
  access_log off;
  client_max_body_size 0;
  {temporary}
  map $http_upgrade $upgraded {{ default upgrade; "" ""; }}
  server {{
    listen 127.0.0.1:{self.port} ssl http2;
    ssl_certificate {certificate("server.pem")};
    ssl_certificate_key {certificate("server.pem")};
    location / {{
      add_header X-Protocol $server_protocol always;
      proxy_pass http://127.0.0.1:{backend_port};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $upgraded;
    }}
  }}
}}
"""

    def command(self, path: str) -> list[str]:
        return [program("nginx") or "nginx", "-e", "stderr", "-c", path]
