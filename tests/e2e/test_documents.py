"""
The commands of the documents work, and print what the documents say.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..support.certificates import pem
from ..support.documents import RUN, Block, Document
from .case import StagedTestCase
from .clients import curl
from .daemon import opens
from .forms import noise
from .process import until
from .reader import MISSING, NAME, Reader
from .system import unused_port
from .upstream import shared_echo


class ReaderTestCase(StagedTestCase):
    """Tests with a reader."""

    if MISSING:
        skip = f"not installed: {', '.join(MISSING)}"

    def reader(self, replaced: Mapping[str, str]) -> Reader:
        """A reader who cleans up."""
        reader = Reader(replaced)
        self.addCleanup(reader.close)
        return reader


class DocumentTests(ReaderTestCase):
    """Documents that a reader follows from their beginning to their end."""

    def read(self, name: str, replaced: Mapping[str, str], *before: Block) -> None:
        """
        Follow all blocks of a document.

        :param before: blocks that the reader has followed already.
        """
        reader = self.reader(replaced)
        (reader.folder / "recording.wav").write_bytes(noise(2_000_000))
        for block in (*before, *Document(name).blocks):
            with self.naming(f"{name}:{block.line}"):
                reader.follow(block)
        if reader.missing:
            self.skipTest(f"all else works, but these are not installed: {', '.join(sorted(reader.missing))}")

    def test_tls(self) -> None:
        """docs/tls.md: certificates of all kinds, clients that trust them, and HTTP/2."""
        self.read("docs/tls.md", {})

    def test_keys(self) -> None:
        """docs/keys.md: clients with and without a key."""
        self.read("docs/keys.md", {"api.openai.com": self.service()})

    def test_transcripts(self) -> None:
        """docs/transcripts.md: rules on a file."""
        self.read("docs/transcripts.md", {})

    def test_workers(self) -> None:
        """docs/workers.md: two workers, which are upgraded."""
        self.read("docs/workers.md", {})

    def test_hosted(self) -> None:
        """docs/hosted.md: a server over TLS that is verified."""
        names = ("api.openai.com:443", "api.openai.com", NAME)
        self.read("docs/hosted.md", dict.fromkeys(names, self.service()))

    def test_service(self) -> None:
        """docs/service.md: what would be written."""
        self.read("docs/service.md", {})

    def test_container(self) -> None:
        """docs/container.md: the health check, of a daemon that runs."""
        self.read("docs/container.md", {}, Block("sh", "twistd -n sttproxy\n", "", 0))

    def test_troubleshooting(self) -> None:
        """docs/troubleshooting.md: the commands that find a fault."""
        self.read("docs/troubleshooting.md", {})

    def test_profiles(self) -> None:
        """docs/profiles.md: who chooses a profile, and what becomes of a request."""
        self.read("docs/profiles.md", {})

    def test_clients(self) -> None:
        """docs/clients/: the clients that are installed."""
        for name in RUN:
            if name.startswith("docs/clients/"):
                self.read(name, {})

    def service(self) -> str:
        """A server that is reached over TLS, in place of a hosted one; its host and port."""
        folder = tempfile.mkdtemp(prefix="stt-service-")
        self.addCleanup(shutil.rmtree, folder)
        cert = os.path.join(folder, "server.pem")
        Path(cert).write_bytes(pem("localhost"))
        target = f"http://127.0.0.1:{shared_echo().port}"
        daemon = self.start_daemon("--host", "127.0.0.1", "--port", "0", "--target", target, "--tls-cert", cert)
        return f"localhost:{daemon.port}"


class FrontTests(ReaderTestCase):
    """Proxies in front that end TLS, with the configurations of docs/tls.md."""

    def front(self, language: str, file: str, *command: str, before: str = "", after: str = "") -> None:
        """
        Check that requests pass a proxy, and what the server is told about them.

        :param file: the name of the configuration.
        :param before: what the configuration needs around the one of the document, to run here.
        """
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        port = unused_port()
        ports = {"listen 443": f"listen 127.0.0.1:{port}", "bind :443": f"bind 127.0.0.1:{port}"}
        reader = self.reader({**ports, f"{NAME} {{": f"https://{NAME}:{port} {{\n\ttls {NAME}.pem {NAME}.pem"})
        blocks = Document("docs/tls.md").blocks
        (shown,) = [block for block in blocks if block.language == language]
        (reader.folder / file).write_text(before + reader.here(shown.text) + after)
        (start,) = [block for block in blocks if "--trust-forwarded" in block.text]
        reader.follow(start)
        reader.serve([*command, file], "")
        until(lambda: opens(str(port)), f"{command[0]} at its port")
        recording = reader.folder / "recording.wav"
        recording.write_bytes(noise(3_000_000))
        heard: Any = json.loads(
            curl(
                *("--cacert", str(reader.folder / "trusted.pem"), "--resolve", f"{NAME}:{port}:127.0.0.1"),
                *("-H", "X-Forwarded-For: 192.0.2.66", "-H", "X-Forwarded-Proto: http", "-F", f"file=@{recording}"),
                f"https://{NAME}:{port}/v1/audio/transcriptions",
            )
        )
        told = {name: value for name, value in heard["headers"] if name.startswith("x-forwarded") or name == "host"}
        self.assertEqual(
            told,
            {
                "host": f"{NAME}:{port}",
                "x-forwarded-for": "127.0.0.1, 127.0.0.1",
                "x-forwarded-proto": "https",
                "x-forwarded-host": f"{NAME}:{port}",
            },
        )

    def test_caddy(self) -> None:
        """Caddy, with a certificate from a file."""
        self.front("caddyfile", "Caddyfile", "caddy", "run", "--config", before="{\n\tadmin off\n}\n")

    def test_nginx(self) -> None:
        """nginx takes more than its default of 1 MB."""
        paths = "".join(f"{kind}_temp_path {kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        before = f"daemon off; pid nginx.pid; events {{}} http {{ access_log off; {paths}"
        if not os.geteuid():
            before = "user root; " + before  # its workers must be able to read the folder
        self.front("nginx", "nginx.conf", "nginx", "-e", "stderr", "-p", ".", "-c", before=before, after="}\n")

    def test_haproxy(self) -> None:
        """HAProxy, with certificate and key in one file."""
        self.front("haproxy", "haproxy.cfg", "haproxy", "-db", "-f")
