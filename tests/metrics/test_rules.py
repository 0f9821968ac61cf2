"""
The alert rules and the dashboard, with Prometheus' own tool.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.metrics.families import METRICS, PROCESS

from ..support.documents import ROOT, Document
from .samples import OPENMETRICS, Read, one_of_each

RULES = ROOT / "etc/prometheus"
DASHBOARD = ROOT / "etc/grafana/sttproxy.json"

_NAME = re.compile(r"\b(?:sttproxy|process)_[a-z0-9_]+")


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run it in the folder of the rules."""
    return subprocess.run(
        ["promtool", *arguments], cwd=RULES, input=text, capture_output=True, text=True, timeout=60, check=False
    )


class PromtoolTests(SynchronousTestCase):
    """What promtool says."""

    if shutil.which("promtool") is None:
        skip = "promtool is not installed"

    def test_rules(self) -> None:
        """The rules and the configuration are valid."""
        done = promtool("check", "config", "prometheus.yml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_rules_tests(self) -> None:
        """The tests of the rules pass."""
        done = promtool("test", "rules", "sttproxy.test.yml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_exposition(self) -> None:
        """The text is valid, and names and texts follow the conventions."""
        done = promtool("check", "metrics", text=Read(one_of_each()).text)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


class NameTests(SynchronousTestCase):
    """Names of metrics exist."""

    def setUp(self) -> None:
        self.known = Read(one_of_each(), accept=OPENMETRICS).names | set(PROCESS)

    def check(self, text: str, least: int) -> None:
        """
        Check all names in a text.

        :param least: how many there must be.
        """
        found = set(_NAME.findall(text))
        self.assertGreaterEqual(len(found), least)
        self.assertEqual(found - self.known, set())

    def test_rules(self) -> None:
        """Those of the rules and their tests, which may also name a histogram as a whole."""
        self.known |= {metric.name for metric in METRICS}
        for name in ("sttproxy.rules.yml", "sttproxy.test.yml"):
            self.check((RULES / name).read_text("utf-8"), 8)

    def test_dashboard(self) -> None:
        """Those of the dashboard; each panel has its place."""
        dashboard = json.loads(DASHBOARD.read_text("utf-8"))
        panels = dashboard["panels"]
        expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
        expressions += [each["expr"] for each in dashboard["annotations"]["list"]]
        expressions += [each.get("definition", "") for each in dashboard["templating"]["list"]]
        self.check("\n".join(expressions), 30)
        taken = [
            (x, y)
            for panel in panels
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        self.assertEqual(len(taken), len(set(taken)))
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))

    def test_alerts(self) -> None:
        """The documents name all alerts, and no other."""
        alerts = re.findall(r"^ *- alert: (\w+)$", (RULES / "sttproxy.rules.yml").read_text("utf-8"), re.MULTILINE)
        for name in ("docs/metrics.md", "docs/metrics.zh-CN.md"):
            self.assertEqual(re.findall(r"^\| `(Sttproxy\w+)`", Document(name).text, re.MULTILINE), alerts)

    def test_documents(self) -> None:
        """The documents name all metrics."""
        for name in ("docs/metrics.md", "docs/metrics.zh-CN.md"):
            shown = set(Document(name).spans)
            self.assertEqual({metric.name for metric in METRICS} - shown, set())
            self.assertEqual(set(PROCESS) - shown, set())
