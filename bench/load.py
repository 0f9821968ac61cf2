"""
Runs load generators of others: wrk and h2load for rates, curl for uploads.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import forms
from .processes import Unable
from .server import Server


@dataclass(frozen=True)
class Rate:
    """
    The result of a measurement of a rate.

    :ivar requests: the number of completed requests.
    :ivar seconds: the duration of the run.
    :ivar faults: messages about errors; empty if there were no errors.
    """

    requests: int
    seconds: float
    faults: str

    @property
    def per_second(self) -> float:
        """Completed requests per second."""
        return self.requests / self.seconds


def form_file(folder: Path, file_size: int) -> Path:
    """Write a form with a recording of `file_size` bytes; return the path of the file."""
    block = forms.recording(1 << 20)
    form = folder / "form"
    with form.open("wb") as file:
        file.write(forms.BEFORE)
        for begin in range(0, file_size, len(block)):
            file.write(block[: file_size - begin])
        file.write(forms.AFTER)
    return form


def script(form: Path) -> Path:
    """Write a script, beside the file of a form, that makes wrk send the form."""
    lua = form.with_suffix(".lua")
    lua.write_text(
        'wrk.method = "POST"\n'
        f'wrk.headers["Content-Type"] = "{forms.CONTENT_TYPE}"\n'
        f'local form = io.open("{form}", "rb")\n'
        'wrk.body = form:read("*a")\n'
        "form:close()\n"
    )
    return lua


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_SPAN = r"([\d.]+)(us|ms|s|m)\b"


def _seconds(number: str, unit: str) -> float:
    return float(number) * _UNITS[unit]


def _output(command: Sequence[str], limit_s: float) -> str:
    """
    Run a program; return its standard output.

    :raises Unable: when it is not installed, fails, or takes longer than `limit_s` seconds.
    """
    name = command[0]
    if shutil.which(name) is None:
        raise Unable(f"there is no program {name} on the PATH")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise Unable(f"{name} did not end within {limit_s:g} s") from None
    if done.returncode:
        raise Unable(f"{name}: {(done.stdout + done.stderr).strip()}")
    return done.stdout


def _whole(seconds: float) -> int:
    """A duration in whole seconds, at least 1."""
    return max(1, round(seconds))


def wrk(server: Server, target: str, seconds: float, connections: int, lua: Path | None = None) -> Rate:
    """
    Run wrk (HTTP/1.1) for `seconds`, rounded to whole seconds.

    :raises Unable: when wrk is not installed, fails, or prints an unknown format.
    """
    duration = _whole(seconds)
    options = ["-t1", f"-c{connections}", f"-d{duration}s", *(["-s", str(lua)] if lua else [])]
    output = _output(["wrk", *options, server.url + target], duration + 60)
    total = re.search(rf"(\d+) requests in {_SPAN}", output)
    if not total:
        raise Unable(f"wrk: {output.strip()}")
    faults = re.findall(r"(?:Socket errors|Non-2xx or 3xx responses): .*", output)
    return Rate(int(total[1]), _seconds(total[2], total[3]), "; ".join(faults))


def _h2load(server: Server, form: Path, connections: int, streams: int, *amount: str) -> tuple[str, Rate]:
    """
    Run h2load (HTTP/2), which posts a form again and again; return its output too.

    :param streams: requests of one connection at the same time.
    :param amount: the option for the number of requests, or for the duration.
    :raises Unable: when h2load is not installed, fails, or prints an unknown format.
    """
    options = ["-t1", f"-c{connections}", f"-m{streams}", *amount]
    body = ["-d", str(form), "-H", f"content-type: {forms.CONTENT_TYPE}"]
    output = _output(["h2load", *options, *body, server.url + forms.PATH], 120)
    took = re.search(rf"finished in {_SPAN}", output)
    counts = re.search(r"(\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    status = re.search(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    if not (took and counts and status):
        raise Unable(f"h2load: {output.strip()}")
    wrong = any(map(int, counts.groups()[1:] + status.groups()))
    return output, Rate(int(counts[1]), _seconds(took[1], took[2]), f"{counts[0]}; {status[0]}" if wrong else "")


def h2load(server: Server, form: Path, seconds: float, connections: int, streams: int) -> Rate:
    """
    Run h2load for `seconds`, rounded to whole seconds.

    :param streams: requests of one connection at the same time.
    :raises Unable: as `_h2load`.
    """
    return _h2load(server, form, connections, streams, f"-D{_whole(seconds)}")[1]


def shares(server: Server, form: Path, streams: int) -> tuple[float, str]:
    """
    Begin uploads on all streams of one HTTP/2 connection at once.

    :returns: the slowest one's rate divided by the fastest one's, and messages about errors.
    :raises Unable: as `_h2load`.
    """
    output, rate = _h2load(server, form, 1, streams, f"-n{streams}")
    times = re.search(rf"time for request: +{_SPAN} +{_SPAN}", output)
    if not times:
        raise Unable(f"h2load: {output.strip()}")
    return _seconds(times[1], times[2]) / _seconds(times[3], times[4]), rate.faults


def curl(server: Server, form: Path, version: str) -> tuple[float, str]:
    """
    Upload a form with curl.

    :param version: curl's option for the version of HTTP.
    :returns: the seconds from the request to the complete response, and the body of the response.
    :raises Unable: when curl is not installed, fails, or speaks another version.
    """
    verify = ["--cacert", str(server.certificate.authority)] if server.certificate else []
    # With POST and -T, curl reads the file while it sends it; an empty Expect keeps it from asking before.
    body = ["-X", "POST", "-T", str(form), "-H", f"Content-Type: {forms.CONTENT_TYPE}", "-H", "Expect:"]
    shown = ["--silent", "--show-error", "--write-out", "\n%{http_version} %{time_pretransfer} %{time_total}"]
    output = _output(["curl", version, *verify, *body, *shown, server.url + forms.PATH], 600)
    text, _, last = output.rpartition("\n")
    spoken, began_s, ended_s = last.split()
    if not version.startswith(f"--http{spoken}"):
        raise Unable(f"curl spoke HTTP/{spoken} in spite of {version}")
    return float(ended_s) - float(began_s), text
