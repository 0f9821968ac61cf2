"""
The manual page ``sttproxy(1)``.
"""

from __future__ import annotations

from collections.abc import Iterator

from shown import ShownOption, commands, daemon

from sttproxy import __version__
from sttproxy.options import OPTIONS, Group

_SIGNALS = (
    (
        "SIGTERM, SIGINT",
        "Stop: accept no more connections, complete the requests in flight, for --grace seconds at most. A second one "
        "ends them at once.",
    ),
    ("SIGHUP", "Read the configuration, certificates and keys again, and open the log file again."),
)


def _text(text: str) -> str:
    """A text for roff."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return "\n".join(r"\&" + line if line[:1] in (".", "'") else line for line in escaped.splitlines())


def _option(option: ShownOption, more: str = "") -> Iterator[str]:
    names = ", ".join(rf"\fB{_text(name)}\fR" for name in option.names)
    yield ".TP"
    yield names + (rf"=\fI{_text(option.placeholder)}\fR" if option.placeholder else "")
    yield _text(option.help + more)


def manual() -> Iterator[str]:
    """The lines of the page."""
    shown = {option.names[0]: option for option in daemon().options}
    yield r".\" Written by .ci/tables from sttproxy/options.py."
    yield rf'.TH STTPROXY 1 "" "sttproxy {__version__}" "User Commands"'
    yield ".SH NAME"
    yield r"sttproxy \- proxy in front of a speech\-to\-text server"
    yield ".SH SYNOPSIS"
    for synopsis in (daemon().synopsis, *(command.synopsis for command in commands())):
        yield rf"\fB{_text(synopsis)}\fR"
        yield ".br"
    yield r"\fBtwistd\fR [options of twistd] \fBsttproxy\fR [options]"
    yield ".SH DESCRIPTION"
    yield _text(
        "Forces the form fields of a JSON file into every transcription request and passes everything else unchanged. "
        "The file is read again whenever it changes. Without a command, the daemon runs in the foreground."
    )
    yield ".SH OPTIONS"
    yield "An option overrides the environment, and the environment overrides the default."
    for group in Group:
        yield f".SS {_text(group.title)}"
        for option in OPTIONS:
            if option.group is group:
                variables = " or ".join(filter(None, (option.variable, option.also)))
                default = f"default: {option.default}; " if option.default else ""
                yield from _option(shown[f"--{option.name}"], f" [{default}environment: {variables}]")
    yield ".SS Other"
    for name in ("--help", "--version"):
        yield from _option(shown[name])
    yield ".SH COMMANDS"
    for command in commands():
        yield f".SS {_text(command.synopsis)}"
        yield _text(command.text)
        for each in command.options:
            yield from _option(each)
    yield ".SH SIGNALS"
    for signal, text in _SIGNALS:
        yield ".TP"
        yield rf"\fB{signal}\fR"
        yield _text(text)
    yield ".SH EXIT STATUS"
    yield "0 when the daemon was told to stop; 1 when it cannot start, with one line that tells why."
    yield ".SH FILES"
    yield ".TP"
    yield r"\fIstt_config.json\fR"
    yield "The configuration, in the current directory unless --config names another one.".replace("--", r"\-\-")
    yield ".SH SEE ALSO"
    yield r"\fBtwistd\fR(1)"
