"""
The configuration while the daemon runs.

`files` reads the bytes of the files, `source` finds the files of a configuration and checks them, `watcher` is the
service that notices changes and keeps the last good configuration.
"""

from .source import Source
from .watcher import ConfigWatcher

__all__ = ["ConfigWatcher", "Source"]
