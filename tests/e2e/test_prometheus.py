"""
A real Prometheus with the rules of ``etc/prometheus/`` watches the daemon.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..support.documents import ROOT
from .case import EchoTestCase, transcription
from .daemon import Daemon, get_json, opens
from .forms import form
from .message import request
from .process import Process, until
from .raw import Listener, connect
from .system import unused_port

RULES = ROOT / "etc/prometheus"
#: Seconds between two scrapes.
PACE_S = 0.5


class Prometheus:
    """
    A Prometheus with the rules, which become alerts without a delay.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stt-prometheus-"))
        self.port = unused_port()
        config = (RULES / "prometheus.yml").read_text("utf-8").replace("localhost:10241", f"127.0.0.1:{daemon.port}")
        config = re.sub(r"_interval: .*", f"_interval: {int(PACE_S * 1000)}ms", config)
        (self.folder / "prometheus.yml").write_text(config)
        rules = (RULES / "sttproxy.rules.yml").read_text("utf-8")
        (self.folder / "sttproxy.rules.yml").write_text(re.sub(r"for: .*", "for: 0s", rules))
        options = ("--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error")
        self._process = Process(
            ["prometheus", "--config.file=prometheus.yml", *options], str(self.folder), "prometheus"
        )
        until(self._ready, "Prometheus at its port")

    def _ready(self) -> bool:
        """Whether it responds to queries."""
        if not opens(str(self.port)):
            return False
        client = connect(self.port)
        client.send(request("GET", "/-/ready"))
        ready = client.read_message().status == 200
        client.close()
        return ready

    def close(self) -> None:
        """Kill it, and remove its folder."""
        self._process.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def query(self, expression: str) -> list[Any]:
        """The result of a query."""
        found: list[Any] = get_json(self.port, "/api/v1/query?query=" + quote(expression))["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = get_json(self.port, "/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


class PrometheusTests(EchoTestCase):
    """A Prometheus that scrapes."""

    if shutil.which("prometheus") is None:
        skip = "prometheus is not installed"

    def watch(self, daemon: Daemon) -> Prometheus:
        """A Prometheus for this test only."""
        prometheus = Prometheus(daemon)
        self.addCleanup(prometheus.close)
        return prometheus

    def test_phases(self) -> None:
        """The query of the documents for the p99 of phases has a result for each phase; Prometheus knows the type."""
        prometheus = self.watch(self.daemon)
        client = self.connect()
        (query,) = re.findall(r"^histogram_quantile.*$", (ROOT / "docs/metrics.md").read_text("utf-8"), re.MULTILINE)

        def phases() -> dict[str, float]:
            client.send(transcription(form([("model", "m")])))
            client.read_message()
            values = {each["metric"]["phase"]: float(each["value"][1]) for each in prometheus.query(query)}
            return {phase: seconds for phase, seconds in values.items() if not math.isnan(seconds)}

        found = until(phases, "phases in Prometheus")
        self.assertEqual(found.keys(), {"receiving", "waiting", "sending", "working", "answering"})
        name = "sttproxy_request_phase_seconds"
        known = get_json(prometheus.port, f"/api/v1/metadata?metric={name}")["data"]
        self.assertEqual([each["type"] for each in known[name]], ["histogram"])

    def test_alerts(self) -> None:
        """An alert fires when the server takes no connections, and is resolved when it does again; so with a file."""
        with Listener() as server:
            daemon = self.start_daemon("--target", f"http://127.0.0.1:{server.port}", config={"language": "zh"})
            prometheus = self.watch(daemon)
            until(lambda: prometheus.query("sttproxy_server_up == 1"), "the server as up")
            self.assertEqual(prometheus.firing(), set())
        down = {"SttproxyNoServer", "SttproxyServerDown"}
        until(lambda: prometheus.firing() == down, "the alerts of the server")
        with Listener(port=server.port):
            until(lambda: not prometheus.firing(), "their end")
            daemon.edit("{")
            until(lambda: prometheus.firing() == {"SttproxyConfigurationRefused"}, "the alert of the configuration")
            daemon.edit({"language": "en"})
            until(lambda: not prometheus.firing(), "its end")
