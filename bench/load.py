"""
Runs wrk: as many requests as the proxy can process, over persistent connections.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import forms
from .processes import Unable


@dataclass(frozen=True)
class Rate:
    """
    The result of wrk.

    :ivar requests: the number of completed requests.
    :ivar seconds: the duration of the run.
    :ivar faults: wrk's messages about errors; empty if there were no errors.
    """

    requests: int
    seconds: float
    faults: str

    @property
    def per_second(self) -> float:
        """Completed requests per second."""
        return self.requests / self.seconds


def script(folder: Path, file_size: int) -> Path:
    """Write a script that makes wrk send forms with a recording of `file_size` bytes."""
    (folder / "form").write_bytes(forms.BEFORE + forms.recording(file_size) + forms.AFTER)
    lua = folder / "form.lua"
    lua.write_text(
        'wrk.method = "POST"\n'
        f'wrk.headers["Content-Type"] = "{forms.CONTENT_TYPE}"\n'
        f'local form = io.open("{folder / "form"}", "rb")\n'
        'wrk.body = form:read("*a")\n'
        "form:close()\n"
    )
    return lua


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


def wrk(port: int, target: str, seconds: float, connections: int, lua: Path | None = None) -> Rate:
    """
    Run wrk for `seconds`, rounded to whole seconds, at least 1.

    :raises Unable: when wrk is not installed, fails, or prints an unknown format.
    """
    if shutil.which("wrk") is None:
        raise Unable("there is no program wrk on the PATH")
    duration = max(1, round(seconds))
    options = ["-t1", f"-c{connections}", f"-d{duration}s", *(["-s", str(lua)] if lua else [])]
    command = ["wrk", *options, f"http://127.0.0.1:{port}{target}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=duration + 60)
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)\b", done.stdout)
    if done.returncode or not total:
        raise Unable(f"wrk: {(done.stdout + done.stderr).strip()}")
    faults = re.findall(r"(?:Socket errors|Non-2xx or 3xx responses): .*", done.stdout)
    return Rate(int(total[1]), float(total[2]) * _UNITS[total[3]], "; ".join(faults))
