"""
The table of options: the command line, the environment, the help, and the manual's tables are made from it.
"""

from __future__ import annotations

import enum
import re

import attrs

from . import values
from .values import Kind

#: Where the configuration is looked for unless another path is named.
DEFAULT_CONFIG = "stt_config.json"
#: What each option's variable in the environment begins with.
PREFIX = "STTPROXY_"


class Group(enum.Enum):
    """
    Options that belong together.

    :ivar title: in English.
    :ivar title_zh: in Chinese.
    """

    LISTENING = ("Listening", "监听")
    SERVER = ("The server behind", "上游服务器")
    CONFIGURATION = ("Configuration", "配置")
    LIMITS = ("Limits and times", "限制与超时")
    MONITORING = ("Monitoring", "监控")
    EMBEDDED = ("Embedded engine", "内置引擎")

    def __init__(self, title: str, title_zh: str) -> None:
        self.title = title
        self.title_zh = title_zh


@attrs.frozen
class Option:
    """
    One option.

    :ivar name: without the dashes before it.
    :ivar kind: how its value is read.
    :ivar default: as one would type it; empty: the option has no value unless it is given.
    :ivar help: what it does, in Markdown: for the manual, and without the marks for ``--help``.
    :ivar help_zh: the same in Chinese.
    :ivar unit: what its number counts.
    :ivar repeats: it may be given several times; its value is a tuple.
    :ivar also: a variable of the environment besides `variable`, which beats it.
    """

    group: Group
    name: str
    kind: Kind
    default: str
    help: str
    help_zh: str
    unit: str = ""
    repeats: bool = False
    also: str = ""

    @property
    def attribute(self) -> str:
        """The name of its value in Python."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it; commas part the values of one that repeats."""
        return PREFIX + self.attribute.upper()

    @property
    def is_flag(self) -> bool:
        """Whether it stands alone on the command line, without a value."""
        return self.kind is values.FLAG

    @property
    def placeholder(self) -> str:
        """What stands for its value in the help; empty for a flag."""
        return self.unit.upper() or self.kind.placeholder

    @property
    def plain_help(self) -> str:
        """The English help without Markdown."""
        return plain(self.help)


def plain(markdown: str) -> str:
    """A text without the marks of links and code."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "")


_LISTENING, _SERVER, _CONFIGURATION, _LIMITS, _MONITORING, _EMBEDDED = Group

OPTIONS: tuple[Option, ...] = (
    Option(
        _LISTENING,
        "host",
        values.TEXT,
        "0.0.0.0",
        "Address to listen on. `::` for IPv6.",
        "监听地址。IPv6 使用 `::`。",
    ),
    Option(_LISTENING, "port", values.PORT, "10241", "Port to listen on.", "监听端口。"),
    Option(
        _LISTENING,
        "listen",
        values.ENDPOINT,
        "",
        "A [Twisted endpoint](https://docs.twisted.org/en/stable/core/howto/endpoints.html) to listen on instead of "
        "`--host` and `--port`, like `tcp6:10241` or `unix:/run/stt.sock`. May be repeated.",
        "用 [Twisted endpoint](https://docs.twisted.org/en/stable/core/howto/endpoints.html) 指定监听位置，代替 "
        "`--host` 和 `--port`，例如 `tcp6:10241` 或 `unix:/run/stt.sock`。可重复指定。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "socket-mode",
        values.MODE,
        "0660",
        "Permissions of the Unix sockets of `--listen` and `--monitor`. `unix:/run/stt.sock:mode=600` overrides it for "
        "one of them.",
        "`--listen` 和 `--monitor` 中 Unix 套接字的权限。`unix:/run/stt.sock:mode=600` 可为单个套接字覆盖该值。",
    ),
    Option(
        _LISTENING,
        "workers",
        values.WORKERS,
        "1",
        "Processes that serve, or `auto` for one for each core; see [workers](docs/workers.md). Limits are for all of "
        "them together.",
        "提供服务的进程数；`auto` 表示每个核心一个，参见[工作进程](docs/workers.zh-CN.md)。各项限制针对所有进程的"
        "总和。",
    ),
    Option(
        _LISTENING,
        "trust-forwarded",
        values.PEERS,
        "",
        "Address or network of proxies whose `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded`, are believed, "
        "or `unix` for those that connect to a Unix socket. May be repeated.",
        "受信任代理的地址或网段，采信其 `X-Forwarded-For`、`-Proto`、`-Host` 和 `Forwarded`；`unix` 表示通过 "
        "Unix 套接字连接的代理。可重复指定。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "forwarded",
        values.FLAG,
        "",
        "Send `Forwarded` (RFC 7239) to the server, besides the `X-Forwarded-*` that say the same.",
        "除内容相同的 `X-Forwarded-*` 外，还向上游服务器发送 `Forwarded`（RFC 7239）。",
    ),
    Option(
        _LISTENING,
        "proxy-protocol-from",
        values.PEERS,
        "",
        "Address or network of proxies that begin each connection to `--port` or `--listen` with the address of their "
        "client (PROXY protocol, version 1 or 2, also before TLS), or `unix` for those that connect to a Unix socket. "
        "May be repeated. From these peers no other connections are accepted.",
        "在每个到 `--port` 或 `--listen` 的连接开头发送客户端地址（PROXY 协议第 1 版或第 2 版，先于 TLS）的代理的地址或"
        "网段；`unix` 表示通过 Unix 套接字连接的代理。可重复指定。不接受这些代理的其他连接。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "cors-origin",
        values.ORIGIN,
        "",
        "Let web pages of this origin, like `https://example.org`, use the proxy and read its responses; `*` for all "
        "pages. May be repeated. Without it, the server's own CORS headers pass.",
        "允许该来源（如 `https://example.org`）的网页使用本代理并读取响应；`*` 表示所有网页。可重复指定。不指定时，原样"
        "传递上游服务器的 CORS 头。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "tls-cert",
        values.FILE,
        "",
        "Serve TLS on `--port` with this certificate (PEM, with the chain). A changed file is used without a restart. "
        "May be repeated: clients get the certificate for the name that they ask for.",
        "在 `--port` 上启用 TLS 所用的证书（PEM，含证书链）。文件变化后自动生效，无需重启。可重复指定：按客户端请求的"
        "域名选择证书。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "tls-key",
        values.FILE,
        "",
        "The certificate's private key (PEM). Not needed if it is in the certificate's file. May be repeated, in the "
        "order of the certificates.",
        "证书的私钥（PEM）。私钥与证书在同一文件中时无需指定。可重复指定，顺序与证书一致。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "tls-client-ca",
        values.FILE,
        "",
        "Accept only clients with a certificate that these authorities have signed (PEM).",
        "只接受持有由这些机构（PEM）签发的证书的客户端。",
    ),
    Option(
        _SERVER,
        "target-host",
        values.HOST,
        "localhost",
        "Host of the speech-to-text server.",
        "语音转文字服务器的主机。",
        also="TARGET_HOST",
    ),
    Option(_SERVER, "target-port", values.PORT, "10240", "Its port.", "语音转文字服务器的端口。", also="TARGET_PORT"),
    Option(
        _SERVER,
        "target",
        values.URL,
        "",
        "The server as a URL, `http://host:port/prefix` or `https://host/prefix`, instead of `--target-host` and "
        "`--target-port`. HTTP/2 is used if an `https` server offers it; `h2c://host:port` uses it without TLS. May be "
        "repeated: the first server that takes connections gets the requests.",
        "以 URL 形式（`http://host:port/prefix` 或 `https://host/prefix`）指定语音转文字服务器，代替 "
        "`--target-host` 和 `--target-port`。`https` 服务器支持 HTTP/2 时使用 HTTP/2；`h2c://host:port` 表示不用 TLS 而"
        "直接使用 HTTP/2。可重复指定：请求发往第一个接受连接的服务器。",
        repeats=True,
    ),
    Option(
        _SERVER,
        "target-ca",
        values.FILE,
        "",
        "Trust these authorities (PEM) for the server's certificate, instead of those of the system.",
        "用这些机构（PEM）验证上游服务器的证书，代替系统信任的机构。",
    ),
    Option(
        _SERVER,
        "target-cert",
        values.FILE,
        "",
        "The certificate (PEM) for a server that asks clients for one.",
        "上游服务器要求客户端证书时所出示的证书（PEM）。",
    ),
    Option(
        _SERVER,
        "target-key",
        values.FILE,
        "",
        "Its private key (PEM). Not needed if it is in the same file.",
        "该证书的私钥（PEM）。与证书在同一文件中时无需指定。",
    ),
    Option(
        _SERVER,
        "target-insecure",
        values.FLAG,
        "",
        "Do not verify the server's certificate. Anyone on the way can then pose as the server.",
        "不验证上游服务器的证书。此时网络中的任何人都可以冒充该服务器。",
    ),
    Option(
        _SERVER,
        "target-host-header",
        values.NAME,
        "",
        "The `Host` of requests to the server: `client` for the one that the client sent, `target` for the server's "
        "own name, or any other name. Without it: `client` for `http`, `target` for `https`.",
        "发往上游服务器的 `Host`：`client` 表示客户端发送的值，`target` 表示上游服务器自己的名称，也可以是其他名称。"
        "不指定时，`http` 用 `client`，`https` 用 `target`。",
    ),
    Option(
        _SERVER,
        "target-key-file",
        values.FILE,
        "",
        "Send the API key in this file to the server, in place of the `Authorization` of clients. A changed file is "
        "used without a restart.",
        "用该文件中的 API 密钥代替客户端的 `Authorization` 发送给上游服务器。文件变化后自动生效，无需重启。",
    ),
    Option(
        _SERVER,
        "pool-size",
        values.COUNT,
        "32",
        "Idle connections to the server that are kept.",
        "保留的上游空闲连接数。",
        unit="connections",
    ),
    Option(
        _SERVER,
        "pool-idle",
        values.SECONDS,
        "4",
        "Time that an idle connection is kept, less where the server announces less. uvicorn, under MLX Omni Server, "
        "closes its side at 5.",
        "空闲连接的保留时间；如果服务器声明的时间更短，则以较短者为准。MLX Omni Server 所用的 uvicorn 会在 "
        "5 秒后关闭连接。",
        unit="seconds",
    ),
    Option(
        _CONFIGURATION,
        "config",
        values.FILE,
        DEFAULT_CONFIG,
        "The configuration. Without a file at the default path no field is forced. A file that you name must exist.",
        "配置文件。默认路径下没有文件时，不强制任何字段。显式指定的文件必须存在。",
        also="STT_CONFIG_PATH",
    ),
    Option(
        _CONFIGURATION,
        "profile",
        values.NAME,
        "",
        "The profile of transcriptions that name none.",
        "未指定变体的转写请求所用的变体。",
    ),
    Option(
        _CONFIGURATION,
        "profile-by-key",
        values.FILE,
        "",
        "A JSON file of API keys, hashed, and their profiles.",
        "JSON 文件，列出 API 密钥（哈希值）及其对应的变体。",
    ),
    Option(
        _CONFIGURATION,
        "require-key",
        values.FLAG,
        "",
        "Let in only requests with an API key from `--profile-by-key`; others get 401. `/health` needs no key.",
        "只允许带有 `--profile-by-key` 中的 API 密钥的请求，其他请求返回 401。`/health` 不需要密钥。",
    ),
    Option(
        _CONFIGURATION,
        "explain-header",
        values.FLAG,
        "",
        "Tell in the response header `x-sttproxy-config` what was done to a form.",
        "在响应头 `x-sttproxy-config` 中说明对表单做了哪些处理。",
    ),
    Option(
        _LIMITS,
        "max-clients",
        values.COUNT,
        "0",
        "Clients that may be connected. Further ones get 503. 0: as many as the limit on open files (`ulimit -n`) "
        "allows; sttproxy raises that limit as far as the system lets it.",
        "允许同时连接的客户端数，超出的返回 503。0：以打开文件数限制（`ulimit -n`）为准；sttproxy 会把该限制"
        "提高到系统允许的最大值。",
        unit="clients",
    ),
    Option(
        _LIMITS,
        "max-connections",
        values.COUNT,
        "0",
        "Connections to the server that may exist. 0: any number.",
        "到上游服务器的最大连接数。0：不限。",
        unit="connections",
    ),
    Option(
        _LIMITS,
        "pool-wait",
        values.LIMIT,
        "30",
        "Time that a request waits for one of these connections before it gets 503. 0: forever.",
        "请求等待可用上游连接的时限，超时返回 503。0：一直等待。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "max-transcriptions",
        values.COUNT,
        "0",
        "Transcriptions that are sent to the server at the same time. The others wait in order. 0: all.",
        "同时发送给上游服务器的转写请求数，其余请求按顺序排队。0：不限。",
        unit="transcriptions",
    ),
    Option(
        _LIMITS,
        "max-queue",
        values.COUNT,
        "100",
        "Transcriptions that may wait for that. Further ones get 503.",
        "允许排队的转写请求数，超出的返回 503。",
        unit="transcriptions",
    ),
    Option(
        _LIMITS,
        "max-body",
        values.COUNT,
        "0",
        "Bytes that a request's body may have before it gets 413. 0: any number.",
        "请求体的最大字节数，超出返回 413。0：不限。",
        unit="bytes",
    ),
    Option(
        _LIMITS,
        "max-json",
        values.COUNT,
        "67108864",
        "Bytes that a transcription may have as JSON, with its recording in base64. 0: any number.",
        "JSON 格式的转写请求（录音以 base64 编码）的最大字节数。0：不限。",
        unit="bytes",
    ),
    Option(
        _LIMITS,
        "max-transcript",
        values.COUNT,
        "16777216",
        "Bytes of a response that are held for `$transcript`. A longer one passes as it came. 0: any number.",
        "`$transcript` 暂存的响应的最大字节数，超出的响应原样传递。0：不限。",
        unit="bytes",
    ),
    Option(
        _LIMITS,
        "connect-timeout",
        values.SECONDS,
        "5",
        "Time to wait for a connection to the server, the resolution of its name included.",
        "连接上游服务器的时限，包括解析主机名的时间。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "connect-retry",
        values.DURATION,
        "2",
        "Time for which a request tries to connect again while the server refuses connections, as it does while it "
        "restarts. Nothing of the request has been sent by then. 0: no second attempt.",
        "上游服务器拒绝连接（例如正在重启）时，请求重试连接的时限。此时请求的任何内容都尚未发出。0：不重试。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "send-timeout",
        values.LIMIT,
        "60",
        "Time that the server may take for each 64 KiB of a request before the client gets 504. Waiting for a slow "
        "client does not count. 0: forever.",
        "上游服务器接收每 64 KiB 请求数据的时限，超时则向客户端返回 504。等待慢速客户端的时间不计入。0：一直等待。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "answer-timeout",
        values.LIMIT,
        "0",
        "Time to wait for the server's response. 0: forever, since hours of audio take long.",
        "等待上游服务器响应的时限。0：一直等待，因为转写数小时的音频耗时很长。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "head-timeout",
        values.SECONDS,
        "10",
        "Time that a client may take for a request's head.",
        "客户端发送请求行和请求头的时限。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "body-timeout",
        values.LIMIT,
        "30",
        "Time that a client may take for each 4 KiB of a request's body. 0: forever.",
        "客户端发送每 4 KiB 请求体的时限。0：一直等待。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "idle-timeout",
        values.SECONDS,
        "75",
        "Time that a client's idle connection is kept.",
        "客户端空闲连接的保留时间。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "drain-timeout",
        values.SECONDS,
        "30",
        "Time that a client may take to notice a response that came before its upload ended.",
        "响应早于上传结束时，留给客户端处理该响应的时间。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "grace",
        values.LIMIT,
        "30",
        "Time that requests in flight are given on SIGTERM. WebSockets are told to close, and get 5. 0: forever.",
        "收到 SIGTERM 后，留给进行中请求的时间。WebSocket 会收到关闭通知，时限为 5 秒。0：一直等待。",
        unit="seconds",
    ),
    Option(
        _MONITORING,
        "log-format",
        values.LOG_FORMAT,
        "text",
        "What the log's lines look like: `text`, `json` for one object a line ([its members](docs/log.md)), or "
        "`combined` for Apache's combined format.",
        "日志行的格式：`text`；`json` 表示每行一个对象（[成员说明](docs/log.zh-CN.md)）；`combined` 表示 Apache 的 "
        "combined 格式。",
    ),
    Option(
        _MONITORING,
        "log-level",
        values.LOG_LEVEL,
        "info",
        "The least severe messages that are logged: `debug`, `info`, `warn` or `error`. `debug` logs the values of "
        "fields, too.",
        "记录的最低日志级别：`debug`、`info`、`warn` 或 `error`。`debug` 还会记录字段的值。",
    ),
    Option(
        _MONITORING,
        "log-keep",
        values.COUNT,
        "10",
        "Full log files, of 1 MB each, that are kept. 0: all.",
        "保留的已写满日志文件数，每个 1 MB。0：全部保留。",
        unit="files",
    ),
    Option(
        _MONITORING,
        "monitor",
        values.ENDPOINT,
        "",
        "A Twisted endpoint for the monitoring pages alone, like `tcp:9090:interface=127.0.0.1` or "
        "`unix:/run/stt-monitor.sock`. It needs no key. The other listeners then forward the paths of these pages like "
        "any other. May be repeated.",
        "监控页面专用的 Twisted endpoint，例如 `tcp:9090:interface=127.0.0.1` 或 `unix:/run/stt-monitor.sock`，访问时不"
        "需要密钥。其他监听位置收到对这些页面路径的请求时，会像其他请求一样转发。可重复指定。",
        repeats=True,
    ),
    Option(
        _MONITORING,
        "monitor-from",
        values.PEERS,
        "",
        "Address or network of clients that may see the monitoring pages, or `unix` for those at a Unix socket; others "
        "get 403. May be repeated. Without it, all clients may.",
        "可以查看监控页面的客户端地址或网段；`unix` 表示通过 Unix 套接字连接的客户端。其他客户端返回 403。可重复指定。"
        "不指定时，所有客户端都可以查看。",
        repeats=True,
    ),
    Option(
        _MONITORING,
        "monitor-clients",
        values.FLAG,
        "",
        "Show the addresses of clients in the list of the last requests.",
        "在最近请求的列表中显示客户端地址。",
    ),
    Option(
        _MONITORING,
        "server-timing",
        values.FLAG,
        "",
        "Tell in the response header `Server-Timing` how long the phases of a request took.",
        "在响应头 `Server-Timing` 中说明请求各阶段的耗时。",
    ),
    Option(
        _MONITORING,
        "no-progress",
        values.FLAG,
        "",
        "On a terminal, do not show the line about the requests in flight.",
        "在终端中不显示进行中请求的状态行。",
    ),
    Option(
        _EMBEDDED,
        "embedded",
        values.FLAG,
        "",
        "Serve transcriptions from inside, by faster-whisper, instead of a server.",
        "由内置的 faster-whisper 处理转写请求，不使用上游服务器。",
    ),
    Option(
        _EMBEDDED,
        "embedded-model",
        values.NAME,
        "",
        "The model of the embedded engine: a name or a folder. Without it the engine takes `tiny.en`.",
        "内置引擎的模型：名称或目录。不指定时使用 `tiny.en`。",
    ),
)

#: The options by their names.
BY_NAME = {option.name: option for option in OPTIONS}
