"""
The proxies that are compared, with equivalent configurations and their requirements.

All run with one worker on one core, except those for two cores, keep connections to the sink open, and stream uploads
if they can.  Only sttproxy writes an access log, because it always does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from .forms import CONFIG
from .server import HOST, Server, Wire

#: The checkout that is measured.
CHECKOUT = Path(__file__).resolve().parent.parent
#: The names of the peer that runs it, and of the one that runs another checkout for comparison.
SUBJECT, OTHER = "sttproxy", "other checkout"
#: The name of the peer that runs it with a worker on each of two cores, and of the proxy that it is compared with.
WORKERS, CADDY_2 = "sttproxy-2", "Caddy-2"


class Peer:
    """
    A proxy between client and sink.

    :cvar name: the name of its column in the table.
    :cvar rewrites: whether it applies the configuration to transcriptions, like sttproxy.
    :cvar transparent: whether it passes the sink's responses on, so that they can be checked.
    :cvar workloads: the workloads that it supports; None means all.
    :cvar wires: what it can serve.
    :ivar cores: how many cores it uses.
    """

    name = ""
    rewrites = False
    transparent = True
    workloads: frozenset[str] | None = None
    wires = frozenset({Wire.CLEAR})
    cores = 1

    def missing(self) -> str | None:
        """Why the peer cannot run here, as the end of a sentence; None if it can."""
        return None

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        """
        Write the configuration of the peer; return its command line.

        :param folder: an empty folder for the peer.
        :param server: where to listen.
        :param upstream: the port of the sink.
        """
        raise NotImplementedError

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        """Environment variables of the peer, in addition to those of this process."""
        return {}


def _program(name: str) -> str | None:
    return None if shutil.which(name) else f"there is no program {name} on the PATH"


def _modules(*names: str) -> str | None:
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"this Python has no {' and no '.join(absent)}" if absent else None


class Direct(Peer):
    """No proxy: the clients connect to the sink."""

    name = "direct"


class Nginx(Peer):
    name = "nginx"
    wires = frozenset({Wire.CLEAR, Wire.TLS})

    def missing(self) -> str | None:
        return _program("nginx")

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        # If root starts nginx, its workers run as another user, who cannot read the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "\n".join(
            f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        tls, secured = "", ""
        if server.certificate:
            pem = server.certificate.pem
            tls = " ssl http2"
            secured = f"ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;"
        (folder / "nginx.conf").write_text(
            f"""\
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_max_body_size 0;
{temporary}
  upstream sink {{ server {HOST}:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen {HOST}:{server.port}{tls};
    {secured}
    location / {{
      proxy_pass http://sink;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
    }}
    location /events {{
      proxy_pass http://sink;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
        )
        return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


class HAProxy(Peer):
    name = "HAProxy"
    wires = frozenset(Wire)

    def missing(self) -> str | None:
        return _program("haproxy")

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        tls = f" ssl crt {server.certificate.pem} alpn h2,http/1.1" if server.certificate else ""
        # Without http-no-delay, the kernel may delay small events by up to 200 ms.
        (folder / "haproxy.cfg").write_text(
            f"""\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 300s
  http-reuse always
  option http-no-delay
frontend clients
  bind {HOST}:{server.port}{tls}
  default_backend sink
backend sink
  server sink {HOST}:{upstream}
"""
        )
        return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


#: The workloads of peers that use two cores: those with many requests.
_RATES = frozenset({"get", "form"})


class Caddy(Peer):
    wires = frozenset(Wire)

    def __init__(self, name: str = "Caddy", cores: int = 1) -> None:
        self.name, self.cores = name, cores
        self.workloads = _RATES if cores > 1 else None

    def missing(self) -> str | None:
        return _program("caddy")

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        tls = f"tls {server.certificate.pem} {server.certificate.pem}" if server.certificate else ""
        (folder / "Caddyfile").write_text(
            f"""\
{{
  admin off
  auto_https off
  servers {{
    protocols h1 h2 h2c
  }}
}}
:{server.port} {{
  bind {HOST}
  {tls}
  reverse_proxy {HOST}:{upstream}
}}
"""
        )
        return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        here = str(folder)
        return {"GOMAXPROCS": str(self.cores), "HOME": here, "XDG_CONFIG_HOME": here, "XDG_DATA_HOME": here}


class FastAPI(Peer):
    name = "FastAPI+httpx"
    rewrites = True

    def missing(self) -> str | None:
        return _modules("fastapi", "httpx", "uvicorn", "python_multipart")

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        options = ["--host", HOST, "--port", str(server.port), "--no-access-log", "--log-level", "warning"]
        return [sys.executable, "-m", "uvicorn", "bench.fastapi_proxy:app", *options]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        return {"PYTHONPATH": str(CHECKOUT), "UPSTREAM": f"http://{HOST}:{upstream}", "FORCED": CONFIG}


class LiteLLM(Peer):
    """It creates new requests and responses from the parsed ones, so only transcriptions can be measured."""

    name = "LiteLLM"
    transparent = False
    workloads = frozenset({"form", "latency"})

    def missing(self) -> str | None:
        return _program("litellm")

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        (folder / "config.yaml").write_text(
            f"""\
model_list:
  - model_name: whisper-1
    litellm_params:
      model: openai/whisper-1
      api_base: http://{HOST}:{upstream}/v1
      api_key: unused
    model_info:
      mode: audio_transcription
"""
        )
        options = ["--host", HOST, "--port", str(server.port), "--telemetry", "False"]
        return ["litellm", "--config", str(folder / "config.yaml"), *options]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        # By default it requires an API key, which our clients do not send.  Only loopback can connect to it.
        unlocked = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
        return {**unlocked, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}


class Sttproxy(Peer):
    """A checkout, started like users start it."""

    rewrites = True
    wires = frozenset(Wire)

    def __init__(self, name: str = SUBJECT, checkout: Path = CHECKOUT, cores: int = 1) -> None:
        self.name, self.cores = name, cores
        self.workloads = _RATES if cores > 1 else None
        self._checkout = checkout

    def missing(self) -> str | None:
        if not (self._checkout / "sttproxy" / "console.py").is_file():
            return f"{self._checkout} is no checkout of sttproxy"
        return _modules("twisted", "treq", "httptools", "attr", "jh2", "OpenSSL")

    def command(self, folder: Path, server: Server, upstream: int) -> list[str]:
        (folder / "stt_config.json").write_text(CONFIG)
        main = "from sttproxy.console import main; main()"
        listening = ["--host", HOST, "--port", str(server.port)]
        if server.certificate:
            listening += ["--tls-cert", str(server.certificate.pem), "--tls-key", str(server.certificate.pem)]
        target = ["--target-host", HOST, "--target-port", str(upstream)]
        if self.cores > 1:
            target += ["--workers", str(self.cores)]
        return [sys.executable, "-c", main, *listening, *target, "--config", str(folder / "stt_config.json")]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        return {"PYTHONPATH": str(self._checkout)}


#: All peers, in the order of the table's columns.
PEERS: tuple[Peer, ...] = (
    Direct(),
    Nginx(),
    HAProxy(),
    Caddy(),
    FastAPI(),
    LiteLLM(),
    Sttproxy(),
    Caddy(CADDY_2, 2),
    Sttproxy(WORKERS, cores=2),
)
