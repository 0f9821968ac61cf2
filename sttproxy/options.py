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
    SERVER = ("The server behind", "后端服务器")
    CONFIGURATION = ("Configuration", "配置")
    LIMITS = ("Limits and times", "限制与时间")
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


_LISTENING, _SERVER, _CONFIGURATION, _LIMITS, _EMBEDDED = Group

OPTIONS: tuple[Option, ...] = (
    Option(
        _LISTENING,
        "host",
        values.TEXT,
        "0.0.0.0",
        "Address to listen on. `::` for IPv6.",
        "监听的地址。IPv6 用 `::`。",
    ),
    Option(_LISTENING, "port", values.PORT, "10241", "Port to listen on.", "监听的端口。"),
    Option(
        _LISTENING,
        "listen",
        values.ENDPOINT,
        "",
        "A [Twisted endpoint](https://docs.twisted.org/en/stable/core/howto/endpoints.html) to listen on instead of "
        "`--host` and `--port`, like `tcp6:10241` or `unix:/run/stt.sock`. May be repeated.",
        "用一个 [Twisted endpoint](https://docs.twisted.org/en/stable/core/howto/endpoints.html) 代替 `--host` 和 "
        "`--port`，例如 `tcp6:10241` 或 `unix:/run/stt.sock`。可以重复。",
        repeats=True,
    ),
    Option(
        _LISTENING,
        "socket-mode",
        values.MODE,
        "0660",
        "Permissions of the Unix sockets of `--listen`. `unix:/run/stt.sock:mode=600` overrides it for one of them.",
        "`--listen` 的 Unix 套接字的权限。写成 `unix:/run/stt.sock:mode=600` 可以单独指定其中一个。",
    ),
    Option(
        _LISTENING,
        "trust-forwarded",
        values.PEERS,
        "",
        "Address or network of proxies whose `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded`, are believed, "
        "or `unix` for those that connect to a Unix socket. May be repeated.",
        "可信代理的地址或网段，采信它们的 `X-Forwarded-For`、`-Proto` 和 `-Host`，以及 `Forwarded`；`unix` 表示经 Unix "
        "套接字连接的代理。可以重复。",
        repeats=True,
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
    Option(_SERVER, "target-port", values.PORT, "10240", "Its port.", "它的端口。", also="TARGET_PORT"),
    Option(
        _SERVER,
        "target",
        values.URL,
        "",
        "The server as a URL, `http://host:port/prefix`, instead of `--target-host` and `--target-port`.",
        "用 URL `http://host:port/prefix` 指定服务器，代替 `--target-host` 和 `--target-port`。",
    ),
    Option(
        _SERVER,
        "pool-size",
        values.COUNT,
        "32",
        "Idle connections to the server that are kept.",
        "保留多少条到服务器的空闲连接。",
        unit="connections",
    ),
    Option(
        _SERVER,
        "pool-idle",
        values.SECONDS,
        "4",
        "Time that an idle connection is kept, less where the server announces less. uvicorn, under MLX Omni Server, "
        "closes its side at 5.",
        "空闲连接保留的时间；服务器声明的时间更短时以它为准。MLX Omni Server 底下的 uvicorn 在 5 秒时关闭它那一端。",
        unit="seconds",
    ),
    Option(
        _CONFIGURATION,
        "config",
        values.FILE,
        DEFAULT_CONFIG,
        "The configuration. Without a file at the default path no field is forced. A file that you name must exist.",
        "配置文件。默认路径上没有文件时不强制任何字段。明确指定的文件必须存在。",
        also="STT_CONFIG_PATH",
    ),
    Option(
        _CONFIGURATION,
        "profile",
        values.NAME,
        "",
        "The profile of transcriptions that name none.",
        "没有指定变体的转写所用的变体。",
    ),
    Option(
        _CONFIGURATION,
        "profile-by-key",
        values.FILE,
        "",
        "A JSON file of API keys, hashed, and their profiles.",
        "一个 JSON 文件：API key 的散列值和它们的变体。",
    ),
    Option(
        _CONFIGURATION,
        "explain-header",
        values.FLAG,
        "",
        "Tell in the response header `x-sttproxy-config` what was done to a form.",
        "在回答的 `x-sttproxy-config` 头里说明对表单做了什么。",
    ),
    Option(
        _LIMITS,
        "max-clients",
        values.COUNT,
        "0",
        "Clients that may be connected. Further ones get 503. 0: as many as the limit on open files (`ulimit -n`) "
        "allows; sttproxy raises that limit as far as the system lets it.",
        "可以同时连接的客户端数，再多的得到 503。0：由打开文件数的限制（`ulimit -n`）决定，启动时会把它提高到系统"
        "允许的上限。",
        unit="clients",
    ),
    Option(
        _LIMITS,
        "max-connections",
        values.COUNT,
        "0",
        "Connections to the server that may exist. 0: any number.",
        "到服务器的连接总数上限。0：不限。",
        unit="connections",
    ),
    Option(
        _LIMITS,
        "pool-wait",
        values.LIMIT,
        "30",
        "Time that a request waits for one of these connections before it gets 503. 0: forever.",
        "请求等待一条这样的连接的时间，超过则得到 503。0：一直等。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "max-transcriptions",
        values.COUNT,
        "0",
        "Transcriptions that are sent to the server at the same time. The others wait in order. 0: all.",
        "同时放行的转写数，其余按顺序等待。0：全部放行。",
        unit="transcriptions",
    ),
    Option(
        _LIMITS,
        "max-queue",
        values.COUNT,
        "100",
        "Transcriptions that may wait for that. Further ones get 503.",
        "可以等待的转写数。再多的得到 503。",
        unit="transcriptions",
    ),
    Option(
        _LIMITS,
        "max-body",
        values.COUNT,
        "0",
        "Bytes that a request's body may have before it gets 413. 0: any number.",
        "请求体的字节数上限，超过则得到 413。0：不限。",
        unit="bytes",
    ),
    Option(
        _LIMITS,
        "max-json",
        values.COUNT,
        "67108864",
        "Bytes that a transcription may have as JSON, with its recording in base64. 0: any number.",
        "以 JSON 发送的转写请求（录音以 base64 编码）的字节数上限。0：不限。",
        unit="bytes",
    ),
    Option(
        _LIMITS,
        "connect-timeout",
        values.SECONDS,
        "5",
        "Time to wait for a connection to the server, the resolution of its name included.",
        "等待与服务器建立连接的时间，包括解析它的名字。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "connect-retry",
        values.DURATION,
        "2",
        "Time for which a request tries to connect again while the server refuses connections, as it does while it "
        "restarts. Nothing of the request has been sent by then. 0: no second attempt.",
        "服务器拒绝连接时（例如它正在重启），尚未发送任何内容的请求继续尝试的时间。0：不再尝试。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "send-timeout",
        values.LIMIT,
        "60",
        "Time that the server may take for each 64 KiB of a request before the client gets 504. Waiting for a slow "
        "client does not count. 0: forever.",
        "服务器接收请求的每 64 KiB 最多可用的时间，超过则客户端得到 504。等待缓慢的客户端的时间不算在内。0：一直等。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "answer-timeout",
        values.LIMIT,
        "0",
        "Time to wait for the server's response. 0: forever, since hours of audio take long.",
        "等待服务器回答的时间。0：一直等，因为几小时的录音要很久。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "head-timeout",
        values.SECONDS,
        "10",
        "Time that a client may take for a request's head.",
        "客户端发送请求头可用的时间。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "body-timeout",
        values.LIMIT,
        "30",
        "Time that a client may take for each 4 KiB of a request's body. 0: forever.",
        "客户端每发送 4 KiB 请求体可用的时间。0：不限。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "idle-timeout",
        values.SECONDS,
        "75",
        "Time that a client's idle connection is kept.",
        "客户端空闲连接保留的时间。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "drain-timeout",
        values.SECONDS,
        "30",
        "Time that a client may take to notice a response that came before its upload ended.",
        "上传未完就已有回答时，客户端注意到它可用的时间。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "grace",
        values.LIMIT,
        "30",
        "Time that requests in flight are given on SIGTERM. WebSockets are told to close, and get 5. 0: forever.",
        "收到 SIGTERM 后留给进行中请求的时间。WebSocket 会被告知关闭，有 5 秒时间。0：不限。",
        unit="seconds",
    ),
    Option(
        _LIMITS,
        "log-keep",
        values.COUNT,
        "10",
        "Full log files, of 1 MB each, that are kept. 0: all.",
        "保留多少个写满的日志文件，每个 1 MB。0：全部保留。",
        unit="files",
    ),
    Option(
        _EMBEDDED,
        "embedded",
        values.FLAG,
        "",
        "Serve transcriptions from inside, by faster-whisper, instead of a server.",
        "由内置的 faster-whisper 完成转写，而不用服务器。",
    ),
    Option(
        _EMBEDDED,
        "embedded-model",
        values.NAME,
        "",
        "The model of the embedded engine: a name or a folder. Without it the engine takes `tiny.en`.",
        "内置引擎的模型：名字或目录。不指定时使用 `tiny.en`。",
    ),
)

#: The options by their names.
BY_NAME = {option.name: option for option in OPTIONS}
