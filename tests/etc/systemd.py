"""
A systemd of its own: process 1 of new namespaces, with a file system that forgets all changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import twisted

from ..e2e.process import LIMIT_S, ROOT, Process, until
from ..e2e.system import control_groups, remove_control_groups

#: Where the units of this systemd are; those of the machine are hidden.
UNITS = "/etc/systemd/system"
#: Where the program is, for users that may not look into the home of the one who runs the tests.
PREFIX = "/opt/sttproxy"

#: Prepares the namespaces and becomes systemd.  The arguments: the folder of this test, that of the standard library,
#: those of the packages.
_BEGIN = r"""
set -eu
folder=$1 python=$2 packages=$3 checkout=$4 prefix=$5 units=$6
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/cache
mkdir -p /run/lock
for path in /etc /opt; do
    mkdir -p "/run/over$path/upper" "/run/over$path/work"
    mount -t overlay -o "lowerdir=$path,upperdir=/run/over$path/upper,workdir=/run/over$path/work" overlay "$path"
done
rm -rf "$units" /etc/sttproxy
mkdir -p "$units" "$prefix/bin" "$prefix/python" "$prefix/packages" "$prefix/checkout"
mount --bind "$python" "$prefix/python"
mount --bind "$packages" "$prefix/packages"
mount --bind "$checkout" "$prefix/checkout"
ln -s "$prefix/python/bin/python3" "$prefix/bin/python3"
cat > "$prefix/bin/sttproxy" <<END
#!/bin/sh
export LD_LIBRARY_PATH=$prefix/python/lib PYTHONHOME=$prefix/python
export PYTHONPATH=$prefix/checkout:$prefix/packages PYTHONDONTWRITEBYTECODE=1
exec $prefix/bin/python3 -m sttproxy "\$@"
END
chmod 755 "$prefix/bin/sttproxy"
for name in sysinit basic sockets multi-user shutdown network-online; do
    printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$name" > "$units/$name.target"
done
cp /lib/systemd/system/systemd-journald.service /lib/systemd/system/systemd-journald*.socket "$units/"
mkdir "$units/multi-user.target.wants"
ln -s "$units/systemd-journald.service" "$units/multi-user.target.wants/"
ln -s "$units/multi-user.target" "$units/default.target"
export container=test SYSTEMD_UNIT_PATH="$units" SYSTEMD_LOG_TARGET=console
exec /lib/systemd/systemd --system --unit=multi-user.target
"""


def why_not() -> str:
    """Why it cannot run here; empty if it can."""
    missing = [name for name in ("unshare", "nsenter", "systemctl", "journalctl") if shutil.which(name) is None]
    if sys.platform != "linux" or missing or not os.path.exists("/lib/systemd/systemd"):
        return f"systemd is not installed: {', '.join(missing)}"
    if os.geteuid():
        return "only root can start a systemd in namespaces"
    if os.path.isdir("/run/systemd/system"):
        return "systemd runs this machine, and the control groups are its own"
    return ""


class PrivateSystemd:
    """A running systemd."""

    def __init__(self) -> None:
        """
        :raises AssertionError: when it does not start.
        """
        self._folder = tempfile.mkdtemp(prefix="stt-systemd-")
        packages = os.path.dirname(os.path.dirname(os.path.abspath(twisted.__file__)))
        command = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--ipc",
            "--uts",
            "--cgroup",
            "--mount-proc",
            "--kill-child",
        ]
        arguments = [self._folder, sys.base_prefix, packages, ROOT, PREFIX, UNITS]
        self._groups = control_groups()
        self._process = Process([*command, "sh", "-c", _BEGIN, "systemd", *arguments], self._folder, "systemd")
        try:
            until(self._runs, "a systemd that runs")
        except BaseException:
            self.close()
            raise

    def _runs(self) -> bool:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            return False
        self._init = children[0]
        return self.run("systemctl", "is-active", "multi-user.target").stdout == "active\n"

    def close(self) -> None:
        """End it with all that it has started, and remove what it leaves."""
        self._process.end()
        until(lambda: not os.path.exists(f"/proc/{getattr(self, '_init', 'none')}"), "the end of its processes")
        remove_control_groups(self._groups)
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """
        Run a command in its namespaces.

        :param check: whether a failure of the command fails the test.
        """
        done = subprocess.run(
            ["nsenter", "--target", self._init, "--mount", "--pid", "--ipc", "--uts", *command],
            capture_output=True,
            text=True,
            timeout=2 * LIMIT_S,
            check=False,
        )
        assert not (check and done.returncode), f"{command}: {done.stdout}{done.stderr}"
        return done

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit, check=True).stdout.strip()
