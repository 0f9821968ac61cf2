"""
The manifests for Kubernetes: built, checked against its schemas, and compared with what the daemon does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import parse
from sttproxy.metrics.families import METRICS
from sttproxy.options import BY_NAME
from sttproxy.tap import Options

from ..e2e.case import StagedTestCase
from ..e2e.daemon import get_json
from ..e2e.process import LIMIT_S
from ..e2e.upstream import shared_echo
from ..support.documents import ROOT

try:
    import kubernetes_validate
    import yaml
except ImportError:
    MISSING = "kubernetes-validate is not installed"
else:
    MISSING = ""

FOLDER = ROOT / "etc/kubernetes"
OVERLAYS = ("home", "scaled")
#: Kinds that are not Kubernetes' own.
FOREIGN = {"ServiceMonitor"}

#: One object of a cluster.
Manifest = dict[str, Any]


def manifests(text: str) -> list[Manifest]:
    """The objects in a text."""
    return [each for each in yaml.safe_load_all(text) if each]


class ManifestCase(SynchronousTestCase):
    """Base class: reads manifests."""

    if MISSING:
        skip = MISSING

    def base(self, name: str) -> Manifest:
        """The object in a file of the base."""
        (found,) = manifests((FOLDER / "base" / f"{name}.yaml").read_text("utf-8"))
        return found

    def overlay(self, name: str) -> list[Manifest]:
        """The objects of an overlay."""
        command = next(
            (each for each in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(each[0])), None
        )
        if command is None:
            self.skipTest("neither kustomize nor kubectl is installed")
        done = subprocess.run(
            [*command, str(FOLDER / "overlays" / name)], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return manifests(done.stdout)


class FileTests(ManifestCase):
    """Each file for itself."""

    def test_explained(self) -> None:
        """Each file begins with what it is for."""
        for path in FOLDER.rglob("*.yaml"):
            self.assertTrue(path.read_text("utf-8").startswith("# "), path)

    def test_valid(self) -> None:
        """Each object fits the schema of the newest Kubernetes that is known here."""
        version = kubernetes_validate.latest_version()
        for path in FOLDER.rglob("*.yaml"):
            for each in manifests(path.read_text("utf-8")):
                if each["kind"] not in FOREIGN | {"Kustomization"}:
                    partial = each["kind"] == "Deployment"  # kustomize adds its selector and the labels of its pods
                    if partial:
                        each["spec"]["selector"] = {"matchLabels": {"a": "b"}}
                        each["spec"]["template"]["metadata"] = {"labels": {"a": "b"}}
                    kubernetes_validate.validate(each, version, strict=True)

    def test_configuration(self) -> None:
        """The configuration can be used."""
        for name, text in self.base("configmap")["data"].items():
            self.assertEqual((name, parse(text.encode()).warnings), ("stt_config.json", ()))

    def test_metric(self) -> None:
        """The autoscaler asks for a metric that exists."""
        (scaler,) = manifests((FOLDER / "overlays/scaled/hpa.yaml").read_text("utf-8"))
        (metric,) = scaler["spec"]["metrics"]
        self.assertIn(metric["pods"]["metric"]["name"], {each.name for each in METRICS})


class OverlayTests(ManifestCase):
    """Both overlays."""

    def test_valid(self) -> None:
        """All objects fit the schemas, and are of one namespace."""
        version = kubernetes_validate.latest_version()
        for name in OVERLAYS:
            for each in self.overlay(name):
                if each["kind"] not in FOREIGN:
                    kubernetes_validate.validate(each, version, strict=True)
                if each["kind"] != "Namespace":
                    self.assertEqual(each["metadata"]["namespace"], "sttproxy")

    def test_selectors(self) -> None:
        """What selects pods selects those of the Deployment."""
        for name in OVERLAYS:
            objects = self.overlay(name)
            (deployment,) = (each for each in objects if each["kind"] == "Deployment")
            labels = deployment["spec"]["template"]["metadata"]["labels"].items()
            for each in objects:
                spec = each.get("spec", {})
                selector = {
                    "Service": lambda spec=spec: spec["selector"],
                    "PodDisruptionBudget": lambda spec=spec: spec["selector"]["matchLabels"],
                    "NetworkPolicy": lambda spec=spec: spec["podSelector"]["matchLabels"],
                    "Deployment": lambda spec=spec: spec["selector"]["matchLabels"],
                }.get(each["kind"])
                if selector is not None:
                    self.assertTrue(selector().items() <= labels, each["metadata"]["name"])
                    self.assertTrue(selector(), each["metadata"]["name"])

    def test_service_monitor(self) -> None:
        """The ServiceMonitor selects one Service, by labels and the name of its port."""
        objects = self.overlay("scaled")
        (monitor,) = (each for each in objects if each["kind"] == "ServiceMonitor")
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        services = [
            each for each in objects if each["kind"] == "Service" and wanted <= each["metadata"]["labels"].items()
        ]
        (service,) = services
        ports = {port["name"] for port in service["spec"]["ports"]}
        self.assertEqual({endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}, ports)

    def test_replicas(self) -> None:
        """The autoscaler alone decides how many pods there are."""
        (deployment,) = (each for each in self.overlay("scaled") if each["kind"] == "Deployment")
        self.assertNotIn("replicas", deployment["spec"])


class PodTests(ManifestCase, StagedTestCase):
    """What the Deployment says of the daemon, and what the daemon does."""

    def setUp(self) -> None:
        super().setUp()
        self.pod = self.base("deployment")["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def test_options(self) -> None:
        """The daemon takes the options, and listens on the ports that the container has."""
        options = Options()
        options.parseOptions(self.container["args"])
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(ports["http"], options.settings.port)
        self.assertEqual(options.settings.monitor, (f"tcp:{ports['monitor']}",))
        (mount,) = self.container["volumeMounts"]
        self.assertEqual(os.path.dirname(options.settings.source.path), mount["mountPath"])
        grace = options.settings.grace
        assert grace is not None
        stops = self.container["lifecycle"]["preStop"]["sleep"]["seconds"] + grace
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], stops + 5)

    def test_environment(self) -> None:
        """No variable of a Service named sttproxy is taken for an option: there are none."""
        self.assertEqual(BY_NAME["port"].variable, "STTPROXY_PORT")
        self.assertIs(self.pod["enableServiceLinks"], False)

    def test_probes(self) -> None:
        """The probes' paths respond at the port for monitoring; one of them is about the servers behind."""
        target = f"http://127.0.0.1:{shared_echo().port}"
        daemon = self.start_daemon("--target", target, "--monitor", "tcp:0:interface=127.0.0.1")
        states = {}
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = self.container[name]["httpGet"]
            self.assertEqual(probe["port"], "monitor")
            states[name] = get_json(int(daemon.addresses[-1]), probe["path"])["status"]
        self.assertEqual(states, {"startupProbe": "live", "livenessProbe": "live", "readinessProbe": "healthy"})
