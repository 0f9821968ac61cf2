"""
Tests for :mod:`sttproxy.metrics`: what the metrics say, and their format.
"""

from __future__ import annotations

import math

import prometheus_client
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.metrics.families import BUCKETS, METRICS, Kind
from sttproxy.monitor.record import CLIENT_GONE, OWN, PASS_THROUGH, UPSTREAM_FAILED, Record
from sttproxy.monitor.registry import MAX_PROFILES, OTHERS

from ..support.numbers import facts
from .samples import OPENMETRICS, Read, ended, one_of_each, registry_of


class FormatTests(SynchronousTestCase):
    """Text of Prometheus, and OpenMetrics."""

    def test_negotiated(self) -> None:
        """OpenMetrics only if it is asked for; both have the same samples."""
        text, openmetrics = Read(one_of_each()), Read(one_of_each(), accept=OPENMETRICS)
        self.assertIn("text/plain; version=0.0.4", text.content_type)
        self.assertIn("application/openmetrics-text; version=1.0.0", openmetrics.content_type)
        self.assertTrue(openmetrics.text.endswith("\n# EOF\n"))
        self.assertEqual(text.names, openmetrics.names)

    def test_all(self) -> None:
        """Every metric of the table is there, with its type and labels, and no other."""
        read = Read(one_of_each())
        suffixes = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
        expected = {metric.name + suffix for metric in METRICS for suffix in suffixes.get(metric.kind, ("",))}
        self.assertEqual({name for name in read.names if name.startswith("sttproxy_")}, expected)
        for metric in METRICS:
            kind = Kind.GAUGE if metric.kind is Kind.INFO else metric.kind
            self.assertIn(f"\n# TYPE {metric.name} {kind.value}\n", "\n" + read.text)
            shown = next(line for line in read.text.splitlines() if line.startswith(metric.name))
            for label in metric.labels:
                self.assertIn(f'{label}="', shown)

    def test_conventions(self) -> None:
        """Counters end in ``_total``, and nothing else does."""
        for metric in METRICS:
            self.assertEqual(metric.name.endswith("_total"), metric.kind is Kind.COUNTER, metric.name)

    def test_no_global_state(self) -> None:
        """The default registry of prometheus_client has no metric of ours."""
        Read(one_of_each())
        self.assertNotIn(b"sttproxy", prometheus_client.generate_latest())


class RequestTests(SynchronousTestCase):
    """Numbers of requests."""

    def test_labels(self) -> None:
        """Requests are counted by route, profile, method and class of the status."""
        registry = registry_of()
        ended(registry, profile="a")
        ended(registry, profile="a", status=201)
        ended(registry, status=404, method=b"GET", route=PASS_THROUGH)
        read = Read(registry)
        name = "sttproxy_requests_total"
        self.assertEqual(read.value(name, route="transcription", profile="a", method="POST", code="2xx"), 2)
        self.assertEqual(read.value(name, route="pass_through", profile="", method="GET", code="4xx"), 1)

    def test_bounded(self) -> None:
        """Clients cannot make series: methods that are not known, and too many profiles, are counted together."""
        registry = registry_of()
        for number in range(3 * MAX_PROFILES):
            ended(registry, method=b"M%d" % number, profile=f"p{number}")
        read = Read(registry)
        self.assertEqual(
            len([line for line in read.text.splitlines() if line.startswith("sttproxy_requests_total")]), 65
        )
        labels = {"route": "transcription", "method": "other", "code": "2xx"}
        self.assertEqual(read.value("sttproxy_requests_total", profile=OTHERS, **labels), 2 * MAX_PROFILES)
        self.assertEqual(read.value("sttproxy_requests_total", profile="p0", **labels), 1)

    def test_incomplete(self) -> None:
        """A request without a complete response has no class; a failure is one that the client did not cause."""
        registry = registry_of()
        ended(registry, complete=False, ending=CLIENT_GONE)
        ended(registry, complete=False, ending=UPSTREAM_FAILED)
        ended(registry, status=500)
        read = Read(registry)
        labels = {"route": "transcription", "profile": "", "method": "POST"}
        self.assertEqual(read.value("sttproxy_requests_total", code="incomplete", **labels), 2)
        for reason, number in (("client_gone", 1), ("broken_off", 1), ("stopped", 0)):
            shown = read.value("sttproxy_requests_incomplete_total", route="transcription", reason=reason)
            self.assertEqual(shown, number, reason)
        self.assertEqual(read.value("sttproxy_request_failures_total", route="transcription"), 2)

    def test_buckets(self) -> None:
        """Buckets are cumulative and reach from 5 ms to an hour; sums are exact."""
        self.assertLess(BUCKETS[0], 0.005)
        self.assertGreater(BUCKETS[-1], 3600)
        registry = registry_of()
        for took in (0.001, 0.3, 0.6, 3000.0, 10_000.0):
            ended(registry, took=took)
        read = Read(registry)
        name = "sttproxy_request_duration_seconds"
        counts = {"0.00390625": 1, "0.25": 1, "0.5": 2, "1.0": 3, "2048.0": 3, "4096.0": 4, "+Inf": 5}
        for limit, number in counts.items():
            self.assertEqual(read.value(f"{name}_bucket", route="transcription", le=limit), number, limit)
        self.assertEqual(read.value(f"{name}_count", route="transcription"), 5)
        self.assertAlmostEqual(read.value(f"{name}_sum", route="transcription") or math.nan, 13000.901)

    def test_phases(self) -> None:
        """Each phase is a histogram of its own, and the total is not among them."""
        registry = registry_of()
        ended(registry, took=3.0)
        read = Read(registry)
        name = "sttproxy_request_phase_seconds"
        for phase, seconds in (("working", 3.0), ("sending", 0.0)):
            self.assertEqual(read.value(f"{name}_sum", route="transcription", phase=phase), seconds)
            self.assertEqual(read.value(f"{name}_count", route="transcription", phase=phase), 1)
        self.assertIsNone(read.value(f"{name}_sum", route="transcription", phase="total"))

    def test_in_flight(self) -> None:
        """Requests in flight; the scrape itself is not the oldest."""
        registry = registry_of()
        own = Record(100.0, b"GET", b"/metrics", b"HTTP/1.1", "192.0.2.1")
        waiting = Record(990.0, b"POST", b"/x", b"HTTP/1.1", "192.0.2.1")
        own.route, waiting.route = OWN, PASS_THROUGH
        registry.begin(own)
        registry.begin(waiting)
        read = Read(registry)
        self.assertEqual(read.value("sttproxy_requests_in_flight", route="pass_through"), 1)
        self.assertEqual(read.value("sttproxy_requests_waiting", route="pass_through"), 1)
        self.assertEqual(read.value("sttproxy_oldest_request_age_seconds"), 10)

    def test_speed(self) -> None:
        """Seconds of audio and of transcribing, by profile."""
        registry = registry_of()
        ended(registry, profile="a", took=2.0, audio=10.0)
        ended(registry, profile="a", took=1.0)
        read = Read(registry)
        self.assertEqual(read.value("sttproxy_audio_seconds_total", profile="a"), 10)
        self.assertEqual(read.value("sttproxy_transcribing_seconds_total", profile="a"), 2)


class StateTests(SynchronousTestCase):
    """Servers, configuration, certificates."""

    def test_servers(self) -> None:
        """Each server has its own series, also if two have one address."""
        connections = {"open": 3, "idle": 1, "made": 5, "reused": 7, "lost_idle": 2}
        known = facts(servers=[{"connections": connections}] * 3)
        read = Read(registry_of("one:1", "one:1", "two:1"), known, (True, False, True))
        up = [read.value("sttproxy_server_up", server=name) for name in ("one:1", "one:1 (2)", "two:1")]
        self.assertEqual(up, [1, 0, 1])
        self.assertEqual(read.value("sttproxy_server_connections", server="two:1", state="active"), 2)
        self.assertEqual(read.value("sttproxy_server_connections_lost_idle_total", server="two:1"), 2)

    def test_refused(self) -> None:
        """Files that are not in force."""
        config = {"generation": 4, "warnings": [], "error": "stt_config.json:1:1: $: empty"}
        expires = "2030-01-01T00:00:00+00:00"
        tls = {"certificates": [{"file": "a.pem", "expires": expires}], "error": "a.pem: is missing"}
        read = Read(registry_of(), facts(config=config, tls=tls))
        self.assertEqual(read.value("sttproxy_config_last_reload_successful"), 0)
        self.assertEqual(read.value("sttproxy_tls_last_reload_successful"), 0)
        self.assertEqual(read.value("sttproxy_tls_certificate_expiry_timestamp_seconds", file="a.pem"), 1893456000)

    def test_plain(self) -> None:
        """Without TLS there is nothing about certificates."""
        self.assertNotIn("sttproxy_tls", Read(registry_of(), facts()).text)
