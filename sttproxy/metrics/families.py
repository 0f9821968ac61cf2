"""
The table of all metrics: names, types, labels and texts.  The reference in ``docs/`` is made of it.

Names and units follow the conventions of Prometheus: base units, and ``_total`` for what only grows.
"""

from __future__ import annotations

import enum

import attrs

#: Upper bounds of durations in seconds, powers of two: from 4 ms, because the proxy itself and small requests take a
#: few milliseconds, to 68 minutes, because long recordings take that on slow machines.  A factor of two is fine enough
#: for both ends, with 21 buckets.  The histograms of the registry count exactly for powers of two.
BUCKETS = tuple(2.0**exponent for exponent in range(-8, 13))


class Kind(enum.Enum):
    """The type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@attrs.frozen
class Metric:
    """
    One metric.

    :ivar name: as it is written in queries; of a histogram without ``_bucket``, ``_sum`` and ``_count``.
    :ivar labels: names of its labels.
    :ivar help: one line, in Markdown.
    :ivar help_zh: the same in Chinese.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    help_zh: str


def _counter(name: str, labels: str, text: str, text_zh: str) -> Metric:
    return Metric(f"sttproxy_{name}_total", Kind.COUNTER, tuple(labels.split()), text, text_zh)


def _gauge(name: str, labels: str, text: str, text_zh: str) -> Metric:
    return Metric(f"sttproxy_{name}", Kind.GAUGE, tuple(labels.split()), text, text_zh)


def _histogram(name: str, labels: str, text: str, text_zh: str) -> Metric:
    return Metric(f"sttproxy_{name}", Kind.HISTOGRAM, tuple(labels.split()), text, text_zh)


REQUESTS = _counter(
    "requests",
    "route profile method code",
    "Requests that have ended. `code` is the class of a complete response (`2xx`), or `incomplete`.",
    "已结束的请求数。`code` 为完整响应的状态码类别（`2xx`），或 `incomplete`（响应不完整）。",
)
INCOMPLETE = _counter(
    "requests_incomplete",
    "route reason",
    "Requests without a complete response: `client_gone`, `stopped` (the daemon stopped), `broken_off` (the server's "
    "response was cut off, or the proxy failed).",
    "未得到完整响应的请求数：`client_gone`（客户端断开）、`stopped`（守护进程停止）、`broken_off`（上游服务器的响应中断，或"
    "代理自身故障）。",
)
FAILURES = _counter(
    "request_failures",
    "route",
    "Requests that failed because of the server or the proxy: a complete response with a status above 499, or one that "
    "was broken off.",
    "因上游服务器或代理而失败的请求数：完整响应的状态码大于 499，或响应中断。",
)
DURATION = _histogram(
    "request_duration_seconds",
    "route",
    "Time from the complete head of a request to its end. Tunnels (status 101) are not counted.",
    "从请求头收完到请求结束的时间。不含隧道（状态码 101）。",
)
PHASE = _histogram(
    "request_phase_seconds",
    "route phase",
    "Parts of that time, by what the request waited for: `receiving` (the client sends), `waiting` (a turn or a "
    "connection), `sending` (the server takes the body), `working` (the server responds), `answering` (the client "
    "takes the response).",
    "上述时间的各阶段，按请求在等待什么划分：`receiving`（客户端发送）、`waiting`（排队或等待连接）、`sending`（上游服务器接收"
    "请求体）、`working`（上游服务器处理）、`answering`（客户端接收响应）。",
)
REQUEST_BYTES = _counter(
    "request_body_bytes", "route", "Bytes of request bodies from clients.", "从客户端收到的请求体字节数。"
)
SENT_BYTES = _counter(
    "sent_body_bytes", "route", "Bytes of request bodies sent to servers.", "发送给上游服务器的请求体字节数。"
)
RESPONSE_BYTES = _counter(
    "response_body_bytes", "route", "Bytes of response bodies to clients.", "发送给客户端的响应体字节数。"
)
IN_FLIGHT = _gauge("requests_in_flight", "route", "Requests whose response is not complete.", "响应尚未完成的请求数。")
WAITING = _gauge(
    "requests_waiting",
    "route",
    "Those of them that wait for a turn or for a connection to a server.",
    "其中正在排队或等待连接上游服务器的请求数。",
)
OLDEST = _gauge(
    "oldest_request_age_seconds",
    "",
    "Age of the oldest request in flight, of the routes that lead to a server; 0 if there is none.",
    "发往上游服务器的最早的未完成请求已持续的时间；没有时为 0。",
)
QUEUED = _gauge(
    "transcriptions_queued",
    "",
    "Transcriptions in the queue of `--max-transcriptions`.",
    "`--max-transcriptions` 的队列中等待的转写请求数。",
)
REJECTED = _counter(
    "requests_rejected",
    "code",
    "Requests whose head was rejected, before any other processing. They are not among `sttproxy_requests_total`.",
    "因请求行或请求头而被拒绝、未作任何其他处理的请求数，不计入 `sttproxy_requests_total`。",
)
REFUSALS = _counter(
    "refusals",
    "error",
    "Requests that the proxy refused, by error code: because of the client or of a limit.",
    "因客户端或某项限制而被代理拒绝的请求数，按错误码统计。",
)
RECORDINGS = _counter(
    "recordings", "profile", "Recordings in transcriptions whose size is known.", "大小已知的转写录音数。"
)
RECORDING_BYTES = _counter("recording_bytes", "profile", "Bytes of these recordings.", "这些录音的字节数。")
AUDIO = _counter(
    "audio_seconds",
    "profile",
    "Duration of the recordings whose response tells it.",
    "响应中给出了时长的录音的总时长。",
)
TRANSCRIBING = _counter(
    "transcribing_seconds",
    "profile",
    "Duration of the requests with these recordings. `rate(sttproxy_audio_seconds_total[5m])` divided by "
    "`rate(sttproxy_transcribing_seconds_total[5m])` is how many times faster than real time they are.",
    "这些录音的请求的总耗时。`rate(sttproxy_audio_seconds_total[5m])` 除以 "
    "`rate(sttproxy_transcribing_seconds_total[5m])`，即为实时速度的倍数。",
)
RULE_FIELDS = _counter(
    "rule_fields",
    "action",
    "Fields of forms that the rules have changed, by what was done; `/stats` has them by name.",
    "被规则改动的表单字段数，按改动方式统计；`/stats` 中按字段名统计。",
)
TRANSCRIPTS = _counter(
    "transcripts",
    "",
    "Responses that were read for the rules of `$transcript`.",
    "为 `$transcript` 的规则而读取的响应数。",
)
TRANSCRIPTS_RENDERED = _counter(
    "transcripts_rendered",
    "",
    "Those that were delivered in another format than the server's.",
    "其中以不同于上游服务器的格式交付的响应数。",
)
TRANSCRIPTS_PASSED = _counter(
    "transcripts_passed",
    "reason",
    "Responses that these rules left alone: `unknown` (not surely a transcript), `too_long` (`--max-transcript`), "
    "`lacking` (without the times that the requested format needs).",
    "这些规则未处理的响应数：`unknown`（无法确认是转写结果）、`too_long`（超出 `--max-transcript`）、"
    "`lacking`（缺少所请求格式需要的时间）。",
)
TRANSCRIPT_CHANGES = _counter(
    "transcript_changes",
    "rule",
    "What these rules did, by rule; `/stats` has the numbers of phrases and keys, too.",
    "这些规则的改动次数，按规则统计；`/stats` 中还有短语和键的编号。",
)
REALTIME_SESSIONS = _counter("realtime_sessions", "", "Realtime sessions with rules.", "适用规则的实时会话数。")
REALTIME_REFUSED = _counter(
    "realtime_sessions_refused", "", "Those that were ended because of a message.", "其中因消息有误而结束的会话数。"
)
REALTIME_UPDATES = _counter(
    "realtime_updates",
    "action",
    "Updates in realtime sessions that were `changed` or `added`.",
    "实时会话中被改写（`changed`）或添加（`added`）的更新数。",
)
PREFLIGHTS = _counter(
    "preflights", "", "Preflights of browsers that the proxy answered.", "由代理应答的浏览器预检请求数。"
)
CLIENTS = _gauge("client_connections", "", "Open connections of clients.", "打开的客户端连接数。")
CLIENTS_LIMIT = _gauge("client_connections_limit", "", "The most that there may be.", "客户端连接数上限。")
CLIENTS_REFUSED = _counter(
    "client_connections_refused",
    "",
    "Connections that were refused because too many were open.",
    "因打开的连接过多而被拒绝的连接数。",
)
SERVER_UP = _gauge(
    "server_up",
    "server",
    "1 if the server takes connections, or a request to it is in flight; otherwise 0. Checked at each scrape.",
    "上游服务器接受连接，或有发往它的请求尚未完成时为 1，否则为 0。每次抓取时检查。",
)
SERVER_ERRORS = _counter(
    "server_errors",
    "server error",
    "Requests that failed because of the server, by error code.",
    "因上游服务器而失败的请求数，按错误码统计。",
)
SERVER_CONNECTIONS = _gauge(
    "server_connections",
    "server state",
    "Open connections to the server: `idle` or `active`.",
    "与上游服务器的打开的连接数：`idle`（空闲）或 `active`（使用中）。",
)
SERVER_MADE = _counter(
    "server_connections_made", "server", "Connections to the server that were made.", "已建立的上游服务器连接数。"
)
SERVER_REUSED = _counter(
    "server_connections_reused",
    "server",
    "Requests that were sent over a connection that was open before.",
    "复用已有连接发送的请求数。",
)
SERVER_LOST = _counter(
    "server_connections_lost_idle",
    "server",
    "Connections that the server closed while they were idle.",
    "空闲时被上游服务器关闭的连接数。",
)
MOVED_ON = _counter("failovers", "", "How often a request moved on to the next server.", "请求转到下一个服务器的次数。")
CONFIG_GENERATION = _gauge(
    "config_generation",
    "",
    "Generation of the configuration in force; it grows with each change.",
    "生效配置的序号，每次变化时递增。",
)
CONFIG_WARNINGS = _gauge("config_warnings", "", "Warnings about the configuration in force.", "生效配置的警告数。")
CONFIG_GOOD = _gauge(
    "config_last_reload_successful",
    "",
    "0 if the configuration file as it is now was refused and an older one is in force; otherwise 1.",
    "当前的配置文件被拒绝、旧配置仍然生效时为 0，否则为 1。",
)
CERTIFICATE_EXPIRY = _gauge(
    "tls_certificate_expiry_timestamp_seconds",
    "file",
    "When a certificate of `--tls-cert` expires, in seconds since 1970.",
    "`--tls-cert` 的证书的到期时间，即自 1970 年起的秒数。",
)
TLS_GOOD = _gauge(
    "tls_last_reload_successful",
    "",
    "0 if the changed files of `--tls-cert` were refused and the older ones are in force; otherwise 1.",
    "`--tls-cert` 变化后的文件被拒绝、旧证书仍然生效时为 0，否则为 1。",
)
LATE = _gauge(
    "timers_late_seconds",
    "",
    "The most by which a timer was late in the last minute; much of it means that the processor is too busy.",
    "最近一分钟内定时器的最大延迟；延迟较大说明处理器过于繁忙。",
)
BUILD = Metric("sttproxy_build_info", Kind.INFO, ("version",), "The version of sttproxy.", "sttproxy 的版本。")

#: All of ours, in the order of the definitions.
METRICS = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
#: What prometheus_client adds of the process, on Linux.
PROCESS = (
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
)
