"""
Standard output as the journal of systemd reads it: a severity before each line (sd-daemon(3)), and no timestamps, since
the journal has its own.
"""

from __future__ import annotations

import os
import syslog
from collections.abc import Mapping

from twisted.logger import LogEvent, eventAsText

from .destination import NAMESPACE, Own
from .events import READY, as_json, json_line
from .observer import LineObserver
from .syslog import SEVERITIES


def reads(fd: int, environment: Mapping[str, str]) -> bool:
    """Whether a descriptor leads to the journal, as far as the environment says."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def own_line(*, json: bool) -> Own:
    """What writes a line about the log itself."""

    def line(text: str) -> str:
        shown = json_line(text) if json else f"[{NAMESPACE}#warn] {text}\n"
        return f"<{syslog.LOG_WARNING}>{shown}"

    return line


class JournalObserver(LineObserver):
    """Writes events as lines for the journal, which makes an entry of each line."""

    def __call__(self, event: LogEvent) -> None:
        prefix = f"<{SEVERITIES.get(event.get('log_level'), syslog.LOG_INFO)}>"
        line = event.get(READY)
        if line is not None:
            origin = f"[{event['log_system']}] " if self._stamped else ""
            self._add(prefix, origin + line)
            return
        text = as_json(event) if self._json else eventAsText(event, includeTimestamp=False)
        if text:
            self._add(prefix, text)
            self.flush()

    def _add(self, prefix: str, text: str) -> None:
        if not self._lines:
            self._scheduler.add(self.flush)
        if "\n" in text:
            text = text.rstrip("\n").replace("\n", f"\n{prefix}\t")
        self._lines.append(f"{prefix}{text}\n")
