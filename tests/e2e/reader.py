"""
Follows a document: runs its commands as a reader would, with the real daemon, curl, OpenSSL and the SDKs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..support.certificates import authority_pem, pem
from ..support.documents import Block
from .daemon import answers, twistd
from .process import LIMIT_S, Process, environment, until
from .system import unused_port
from .upstream import shared_echo

#: The public name in the documents.
NAME = "stt.example.com"
#: What the commands need, beside the daemon and Python.
MISSING = [name for name in ("bash", "curl", "openssl") if shutil.which(name) is None]


class Reader:
    """
    Follows a document: runs its blocks in a folder, in order.

    :ivar folder: the folder.
    :ivar port: the port that stands for 10241.
    :ivar missing: programs that blocks need and that are not installed; these blocks were not run.
    """

    def __init__(self, replaced: Mapping[str, str]) -> None:
        """
        :param replaced: names and addresses in the document, and what stands for them here; in this order.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="stt-docs-"))
        self.port = unused_port()
        self.missing: set[str] = set()
        self._servers: list[Process] = []
        self._output = ""
        live = self.folder / "letsencrypt/live" / NAME
        self._replaced = {
            **replaced,
            "10241": str(self.port),
            "/etc/letsencrypt": str(self.folder / "letsencrypt"),
            "/etc/haproxy": str(self.folder),
            "stt.home.arpa": "localhost",
            "192.168.1.20": "127.0.0.1",
        }
        live.mkdir(parents=True)
        issued = pem(NAME).decode()
        begins = issued.index("-----BEGIN CERTIFICATE")
        for path, text in (
            (live / "privkey.pem", issued[:begins]),
            (live / "fullchain.pem", issued[begins:]),
            (self.folder / f"{NAME}.pem", issued),
            (self.folder / "ca.pem", authority_pem().decode()),
            (self.folder / "trusted.pem", authority_pem().decode()),
            (self.folder / ".curlrc", 'silent\nshow-error\nnoproxy = "*"\n'),
        ):
            path.write_text(text)
        (self.folder / "bin").mkdir()
        for name, command in (("twistd", twistd()), ("sttproxy", [sys.executable, "-m", "sttproxy"])):
            self._write(f"bin/{name}", "#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in command) + ' "$@"\n')
            (self.folder / "bin" / name).chmod(0o755)
        self.env = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CURL_HOME": str(self.folder),
            "CURL_CA_BUNDLE": str(self.folder / "trusted.pem"),
            "SSL_CERT_FILE": str(self.folder / "trusted.pem"),
            # mkcert must not change the trust store of the machine.
            "CAROOT": str(self.folder / "mkcert"),
            "TRUST_STORES": "none",
            "STTPROXY_HOST": "127.0.0.1",
            "STTPROXY_PORT": str(self.port),
            "STTPROXY_TARGET": f"http://127.0.0.1:{shared_echo().port}",
        }

    def close(self) -> None:
        """End what runs, and remove the folder."""
        self.end_servers()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_servers(self) -> None:
        """End what was started.  A daemon may be in an upgrade, so it is asked to end first."""
        while self._servers:
            server = self._servers.pop()
            server.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait()
            server.end()

    def here(self, text: str) -> str:
        """A text with the names and addresses of this machine."""
        for name, value in self._replaced.items():
            text = text.replace(name, value)
        return text

    def follow(self, block: Block) -> None:
        """
        Run a block.

        :raises AssertionError: when it fails, or prints something else.
        """
        needed = block.noted("needs")
        if needed and shutil.which(needed) is None:
            self.missing.add(needed)
        elif block.noted("not run"):
            pass
        elif block.noted("file"):
            self._write(block.noted("file"), self.here(block.text))
        elif block.note == "output":
            self._compare(block.text)
        elif block.language == "sh":
            self._shell(self.here(block.text).replace("\\\n", "").splitlines())
        elif block.language == "console":
            for part in block.text.split("$ ")[1:]:
                command, _, expected = part.partition("\n")
                self._run(["bash", "-c", self.here(command)])
                self._compare(expected)
        elif block.language == "python":
            status = self._run([sys.executable, "-c", self.here(block.text)])
            assert status == 0, self._output

    def serve(self, command: list[str], ready: str) -> None:
        """
        Start a server.

        :param ready: a pattern in what it prints to standard output when it can be used; empty: it prints nothing.
        """
        server = Process(command, str(self.folder), f"server{len(self._servers)}", env=self.env)
        self._servers.append(server)
        if ready:
            server.wait_for(ready)

    def _shell(self, lines: list[str]) -> None:
        """Run commands; a daemon at their end replaces the one that runs."""
        last = lines.pop() if lines[-1].startswith("twistd ") else ""
        status = self._run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)])
        assert status == 0, self._output
        if last:
            self.end_servers()
            self.serve(["bash", "-c", f"exec {last}"], "starting on")
            until(lambda: answers(str(self.port)), "a daemon")

    def _run(self, command: list[str]) -> int:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * LIMIT_S,
            check=False,
        )
        self._output = done.stdout
        return done.returncode

    def _compare(self, expected: str) -> None:
        """Compare the last output; … stands for anything."""
        pattern = r"\n".join(
            r"(?s:.*)" if line == "…" else ".*".join(map(re.escape, line.rstrip().split("…")))
            for line in self.here(expected).splitlines()
        )
        output = "\n".join(line.rstrip() for line in self._output.splitlines())
        assert re.fullmatch(pattern, output), f"expected:\n{expected}\nprinted:\n{output}"

    def _write(self, name: str, text: str) -> None:
        """Write a file; the mode that it has stays."""
        (self.folder / name).write_text(text)
