"""
The proxies: how each is set up to do the same, and what it needs.

All run with one worker on one core, keep connections to the sink, pass an upload on as it comes where they can, and
write no log of requests but sttproxy, which always does.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from .forms import CONFIG

#: The checkout that is measured.
CHECKOUT = Path(__file__).resolve().parent.parent


class Peer:
    """
    What stands between client and sink.

    :cvar name: its column in the table.
    :cvar rewrites: whether it puts the configuration into transcriptions, as sttproxy does.
    :cvar transparent: whether its answers are the sink's, so that they can be checked.
    :cvar workloads: those that it can take; None: all.
    """

    name = ""
    rewrites = False
    transparent = True
    workloads: frozenset[str] | None = None

    def missing(self) -> str | None:
        """Why it cannot run here, as the end of a sentence; None where it can."""
        return None

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        """
        Write its configuration; return its command line.

        :param folder: an empty folder of its own.
        :param port: where on loopback it shall listen.
        :param upstream: where the sink listens.
        """
        raise NotImplementedError

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        """What it finds in its environment besides our own."""
        return {}


def _program(name: str) -> str | None:
    return None if shutil.which(name) else f"there is no program {name} on the PATH"


def _modules(*names: str) -> str | None:
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"this Python has no {' and no '.join(absent)}" if absent else None


class Direct(Peer):
    """Nothing: the client talks to the sink."""

    name = "direct"


class Nginx(Peer):
    name = "nginx"

    def missing(self) -> str | None:
        return _program("nginx")

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        # Started by root, workers become another user, who may not enter our folder.
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "\n".join(
            f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
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
  upstream sink {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
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

    def missing(self) -> str | None:
        return _program("haproxy")

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        # Without http-no-delay it lets the kernel gather events for up to 200 ms.
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
  bind 127.0.0.1:{port}
  default_backend sink
backend sink
  server sink 127.0.0.1:{upstream}
"""
        )
        return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


class Caddy(Peer):
    name = "Caddy"

    def missing(self) -> str | None:
        return _program("caddy")

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        (folder / "Caddyfile").write_text(
            f"""\
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port}, http://bench.test:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{upstream}
}}
"""
        )
        return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        here = str(folder)
        return {"GOMAXPROCS": "1", "HOME": here, "XDG_CONFIG_HOME": here, "XDG_DATA_HOME": here}


class FastAPI(Peer):
    name = "FastAPI+httpx"
    rewrites = True

    def missing(self) -> str | None:
        return _modules("fastapi", "httpx", "uvicorn", "python_multipart")

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
        return [sys.executable, "-m", "uvicorn", "bench.fastapi_proxy:app", *options]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        return {"PYTHONPATH": str(CHECKOUT), "UPSTREAM": f"http://127.0.0.1:{upstream}", "FORCED": CONFIG}


class LiteLLM(Peer):
    """It writes requests anew from what it understood, and answers itself: transcriptions are all that can be asked."""

    name = "LiteLLM"
    transparent = False
    workloads = frozenset({"form", "latency"})

    def missing(self) -> str | None:
        return _program("litellm")

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        (folder / "config.yaml").write_text(
            f"""\
model_list:
  - model_name: whisper-1
    litellm_params:
      model: openai/whisper-1
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: unused
    model_info:
      mode: audio_transcription
"""
        )
        options = ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        return ["litellm", "--config", str(folder / "config.yaml"), *options]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        # It refuses to start without a key, which our clients do not send; only loopback can reach it.
        unlocked = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
        return {**unlocked, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}


class Sttproxy(Peer):
    """The checkout that this file stands in, as its users run it."""

    name = "sttproxy"
    rewrites = True

    def missing(self) -> str | None:
        return _modules("twisted", "treq", "httptools", "attr")

    def command(self, folder: Path, port: int, upstream: int) -> list[str]:
        (folder / "stt_config.json").write_text(CONFIG)
        main = "from sttproxy.console import main; main()"
        listening = ["--host", "127.0.0.1", "--port", str(port)]
        target = ["--target-host", "127.0.0.1", "--target-port", str(upstream)]
        return [sys.executable, "-c", main, *listening, *target, "--config", str(folder / "stt_config.json")]

    def environment(self, folder: Path, upstream: int) -> dict[str, str]:
        return {"PYTHONPATH": str(CHECKOUT)}


#: In the order of the table.
PEERS: tuple[Peer, ...] = (Direct(), Nginx(), HAProxy(), Caddy(), FastAPI(), LiteLLM(), Sttproxy())
