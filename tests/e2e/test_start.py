"""
The command line: listeners, upstream, and the messages when the daemon cannot start.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from typing import Any

from .case import StagedTestCase, transcription
from .daemon import foreground, get_json, opens
from .forms import File, echoed, form
from .message import request
from .process import Process, read, until
from .raw import Listener, connect
from .upstream import Echo, shared_echo

AUDIO = File(b"audio")


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


class StartTestCase(StagedTestCase):
    """Tests that start daemons in a folder of their own."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-start-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name: str, text: str) -> str:
        """Write a file in the folder; return its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def upstream_of(self, *options: str, **env: str) -> Any:
        """Return how a daemon with these options names its upstream, without connecting to it."""
        return self.start_daemon(*options, env=env).stats()["upstream"]

    def form_through(self, address: int | str, path: str = "/v1/audio/transcriptions", host: str = "127.0.0.1") -> Any:
        """Return the echo server's response to a form sent through a daemon."""
        client = connect(address, host)
        self.addCleanup(client.close)
        client.send(transcription(form([("language", "en"), ("file", AUDIO)]), 0, path))
        return client.read_message().json()


class Refusals(StartTestCase):
    """An error that prevents the start is one line, without a traceback, and with exit status 1."""

    def refusal(self, *options: str, **env: str) -> str:
        """Return the one line on standard error."""
        process = Process(foreground(*options), self.folder, "refused", env=env)
        self.addCleanup(process.end)
        status = process.wait()
        output = read(process.err)
        self.assertEqual(status, 1, output)
        self.assertEqual(len(output.splitlines()), 1, output)
        self.assertNotIn("Traceback", output + read(process.out))
        self.assertEqual(os.listdir(self.folder).count("twistd.pid"), 0)
        return output

    def assert_refused(self, words: tuple[str, ...], *options: str, **env: str) -> None:
        """Check that the line names the error."""
        with self.naming(options):
            output = self.refusal(*options, **env)
            for word in words:
                self.assertIn(word, output)

    def test_port_in_use(self) -> None:
        """A port that another program listens on, in each way of naming it."""
        with Listener() as listener:
            port = str(listener.port)
            words = (port, "in use")
            self.assert_refused(words, "--host", "127.0.0.1", "--port", port)
            self.assert_refused(words, "--listen", f"tcp:{port}:interface=127.0.0.1")

    def test_some_ports_in_use(self) -> None:
        """One unavailable endpoint of two is enough."""
        with Listener() as listener:
            port = str(listener.port)
            first = "tcp:0:interface=127.0.0.1"
            self.assert_refused((port,), "--listen", first, "--listen", f"tcp:{port}:interface=127.0.0.1")

    def test_host(self) -> None:
        """A host that is not an address of this machine."""
        self.assert_refused(("999.1.1.1",), "--host", "999.1.1.1", "--port", "0")
        self.assert_refused(("192.0.2.1",), "--host", "192.0.2.1", "--port", "0")
        self.assert_refused(("not a host",), "--host", "not a host", "--port", "0")

    def test_port(self) -> None:
        """A port that is not a number, or not a valid port number."""
        for port in ("x", "65536", "-1"):
            self.assert_refused(("--port", port), "--port", port)
        self.assert_refused(("--target-port", "1.5"), "--target-port", "1.5")
        self.assert_refused(("TARGET_PORT", "x"), TARGET_PORT="x")

    def test_endpoint(self) -> None:
        """A description that is not an endpoint."""
        for description in ("nonsense:1", "tcp", "tcp:x", ""):
            self.assert_refused(("--listen", description), "--listen", description)

    def test_socket(self) -> None:
        """A socket in a missing folder."""
        path = os.path.join(self.folder, "nowhere", "stt.sock")
        self.assert_refused((path, "No such file"), "--listen", f"unix:{path}")

    def test_target(self) -> None:
        """A target that is not the URL of a server."""
        for url in ("localhost:10240", "ftp://host/", "http://", "http://host:x", "http://host/?a=b"):
            self.assert_refused(("--target", url), "--target", url)
        self.assert_refused(("a/b",), "--target-host", "a/b")

    def test_contradictions(self) -> None:
        """Options that exclude each other."""
        for options in (
            ("--target", "http://127.0.0.1:1", "--target-host", "127.0.0.1"),
            ("--target", "http://127.0.0.1:1", "--target-port", "1"),
            ("--embedded", "--target", "http://127.0.0.1:1"),
            ("--embedded-model", "tiny"),
        ):
            self.assert_refused((options[0],), *options)

    def test_unknown(self) -> None:
        """An unknown option or argument."""
        self.assert_refused(("nonsense",), "--nonsense")
        self.assert_refused(("nonsense",), "nonsense")

    def test_malformed_configuration(self) -> None:
        """An invalid configuration, with the place of the mistake, at a named path or the default path."""
        path = self.write("other.json", '{\n  "language": zh\n}')
        self.assert_refused((f"{path}:2:15: ",), "--config", path)
        self.assert_refused((f"{path}:2:15: ",), STT_CONFIG_PATH=path)
        self.write("stt_config.json", "[]")
        self.assert_refused(("stt_config.json:1:1: ", "object"))

    def test_missing_configuration(self) -> None:
        """A named configuration that does not exist."""
        path = os.path.join(self.folder, "nowhere", "x.json")
        self.assert_refused((path,), "--config", path)
        self.assert_refused((path,), STT_CONFIG_PATH=path)
        self.assert_refused((self.folder,), "--config", self.folder)


class Precedence(StartTestCase):
    """Options take precedence over the environment, and the environment over defaults."""

    def test_target(self) -> None:
        """This holds for the upstream's host and port, separately."""
        env = {"TARGET_HOST": "env.test", "TARGET_PORT": "1111"}
        self.assertIn("localhost:10240", self.upstream_of())
        self.assertIn("env.test:1111", self.upstream_of(**env))
        self.assertIn("option.test:1111", self.upstream_of("--target-host", "option.test", **env))
        self.assertIn("env.test:2222", self.upstream_of("--target-port", "2222", **env))
        self.assertIn("url.test:80", self.upstream_of("--target", "http://url.test/", **env))
        self.assertIn("localhost:10240", self.upstream_of(TARGET_HOST="", TARGET_PORT=""))

    def test_configuration(self) -> None:
        """This holds for the configuration."""
        first = self.write("first.json", '{"first": "1"}')
        second = self.write("second.json", '{"second": "2"}')
        for fields, options, env in (
            (["default"], (), {}),
            (["first"], (), {"STT_CONFIG_PATH": first}),
            (["second"], ("--config", second), {"STT_CONFIG_PATH": first}),
            (["default"], (), {"STT_CONFIG_PATH": ""}),
        ):
            daemon = self.start_daemon(*options, config='{"default": "0"}', env=env)
            self.assertEqual(daemon.stats()["config"]["fields"], fields)

    def test_missing_default(self) -> None:
        """Without a configuration at the default path the daemon warns, starts, and changes no request."""
        daemon = self.start_daemon("--target", f"http://127.0.0.1:{shared_echo().port}")
        self.assertRegex(daemon.log(), r"warn.*no configuration at .*stt_config\.json")
        read = self.form_through(daemon.port)["form"]
        self.assertEqual(read, echoed([("language", "en"), ("file", AUDIO)]))

    def test_version_and_help(self) -> None:
        """--version and --help print their text and exit with success."""
        for option, word in (("--version", "sttproxy "), ("--help", "--target-host")):
            process = Process(foreground(option), self.folder, "told")
            self.addCleanup(process.end)
            self.assertEqual((process.wait(), read(process.err)), (0, ""))
            self.assertIn(word, read(process.out))


class Addresses(StartTestCase):
    """Listeners and upstream addresses."""

    def test_prefix(self) -> None:
        """The path of --target is put before each request target, with and without a slash at its end."""
        for prefix in ("/openai", "/openai/", "/a%2Fb//c"):
            target = f"http://127.0.0.1:{shared_echo().port}{prefix}"
            daemon = self.start_daemon("--target", target, config='{"language": "zh"}')
            answer = self.form_through(daemon.port, "/audio/transcriptions?x=y")
            self.assertEqual(answer["path"], prefix.rstrip("/") + "/audio/transcriptions")
            self.assertEqual(answer["query"], "x=y")
            self.assertEqual(answer["form"], echoed([("language", "zh"), ("file", AUDIO)]))

    def test_default_port(self) -> None:
        """A target without a port means port 80."""
        self.assertIn("127.0.0.1:80", self.upstream_of("--target", "http://127.0.0.1"))

    def test_several_endpoints(self) -> None:
        """--listen may be repeated; each endpoint serves, also a Unix socket, and is closed at the end."""
        path = os.path.join(self.folder, "stt.sock")
        listen = [f"unix:{path}", "tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1"]
        options = [option for description in listen for option in ("--listen", description)]
        daemon = self.start_daemon(*options, "--target", f"http://127.0.0.1:{shared_echo().port}")
        self.assertEqual((len(daemon.addresses), daemon.addresses[0]), (3, path))
        for address in daemon.addresses:
            read = self.form_through(int(address) if address.isdigit() else address)["form"]
            self.assertEqual(read, echoed([("language", "en"), ("file", AUDIO)]))
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(path))
        self.assertEqual([opens(address) for address in daemon.addresses[1:]], [False, False])

    def test_unix_sockets(self) -> None:
        """A Unix socket gets the requested mode, whatever the umask, and its peers can be trusted."""
        paths = [os.path.join(self.folder, name) for name in ("a.sock", "b.sock")]
        listen = ("--listen", f"unix:{paths[0]}", "--listen", f"unix:{paths[1]}:mode=606")
        self.addCleanup(os.umask, os.umask(0o077))
        target = f"http://127.0.0.1:{shared_echo().port}"
        daemon = self.start_daemon(*listen, "--trust-forwarded", "unix", "--target", target)
        self.assertEqual([stat.S_IMODE(os.stat(path).st_mode) for path in paths], [0o660, 0o606])
        for header, client in (((), "unix"), (((b"X-Forwarded-For", b"203.0.113.9"),), "203.0.113.9")):
            peer = connect(paths[0])
            self.addCleanup(peer.close)
            peer.send(request("GET", f"/{client}", *header))
            self.assertEqual(peer.read_message().status, 200)
            until(
                lambda line=f"#info] {client} GET /{client} HTTP/1.1 200 ": line in daemon.log(),
                "the line of the request",
            )

    def test_tcp6(self) -> None:
        """--listen accepts Twisted's endpoint descriptions, also tcp6."""
        if not has_ipv6():
            self.skipTest("this machine has no ::1")
        daemon = self.start_daemon("--listen", r"tcp6:0:interface=\:\:1")
        client = connect(daemon.port, "::1")
        self.addCleanup(client.close)
        client.send(request("GET", "/stats"))
        self.assertEqual(client.read_message().status, 200)

    def test_ipv6(self) -> None:
        """IPv6 works on both sides, with and without brackets."""
        if not has_ipv6():
            self.skipTest("this machine has no ::1")
        echo = Echo("::1")
        self.addCleanup(echo.close)
        for host in ("::1", "[::1]"):
            by_parts = ("--target-host", host, "--target-port", str(echo.port))
            for target in (by_parts, ("--target", f"http://[::1]:{echo.port}")):
                daemon = self.start_daemon("--host", host, "--port", "0", *target)
                answer = self.form_through(daemon.port, host="::1")
                self.assertEqual(answer["form"], echoed([("language", "en"), ("file", AUDIO)]))
                headers = dict(answer["headers"])
                self.assertEqual(headers["x-forwarded-for"], "::1")

    def test_console_command(self) -> None:
        """The command sttproxy does the same as twistd -n sttproxy, and leaves no files."""
        code = "from sttproxy.console import main; main()"
        process = Process([sys.executable, "-c", code, "--host", "127.0.0.1", "--port", "0"], self.folder, "command")
        self.addCleanup(process.end)
        port = int(process.wait_for(r"Site starting on (\d+)").group(1))
        process.wait_for("Requests go to")
        self.assertEqual(get_json(port, "/stats")["total_requests"], 1)
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        self.assertEqual(sorted(os.listdir(self.folder)), ["command.err", "command.out"])
