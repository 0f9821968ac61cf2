"""
The manual page and the completion of command lines, in real shells.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.commands import COMMANDS
from sttproxy.options import OPTIONS

from ..e2e.process import until
from ..support.documents import ROOT

_FILES = ROOT / "etc/completion"
#: Seconds that a shell may take.
_LIMIT_S = 30.0
#: Command lines, what completes their end, and what does not.
CASES = (
    ("sttproxy ch", {"check"}, {"clean"}),
    ("sttproxy --max-", {"--max-clients", "--max-queue"}, {"--monitor", "--strict"}),
    ("sttproxy --port 1 --log-level ", {"debug", "info", "warn", "error"}, {"check", "text"}),
    ("sttproxy --log-format=c", {"combined"}, {"json"}),
    ("sttproxy --config stt_", {"stt_config.json"}, {"other.json"}),
    ("sttproxy check --s", {"--strict"}, {"--socket-mode"}),
    ("sttproxy check stt_", {"stt_config.json"}, {"other.json"}),
    ("sttproxy explain --head", {"--header"}, {"--head-timeout"}),
)


class CompletionTestCase(SynchronousTestCase):
    """Base class: a folder with two files, and a shell."""

    shell: str

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-completion-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("stt_config.json", "other.json"):
            (Path(self.folder) / name).write_text("{}")
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "LANG": "C.UTF-8", "TERM": "dumb"}

    def run_shell(self, *arguments: str) -> str:
        """What the shell prints."""
        command = [self.shell, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout

    def completed(self, line: str) -> set[str]:
        """The words that complete the end of a command line."""
        raise NotImplementedError

    def check(self) -> None:
        """Check all cases."""
        for line, wanted, unwanted in CASES:
            words = self.completed(line)
            self.assertEqual((wanted - words, unwanted & words), (set(), set()), line)


class BashTests(CompletionTestCase):
    """bash"""

    shell = shutil.which("bash") or "bash"

    def test_completed(self) -> None:
        """Commands, options, words and files are completed."""
        self.check()

    def completed(self, line: str) -> set[str]:
        words = [word for word in re.split(r"(=)|\s", line) if word is not None]
        array = " ".join(f"'{word}'" for word in words)
        script = f"source '{_FILES}/sttproxy.bash'; COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _sttproxy"
        return set(self.run_shell("--norc", "-c", f"{script}; printf '%s\\n' \"${{COMPREPLY[@]}}\"").split())


class FishTests(CompletionTestCase):
    """fish"""

    shell = shutil.which("fish") or "fish"
    if shutil.which("fish") is None:
        skip = "fish is not installed; apt-get install fish"

    def test_completed(self) -> None:
        """Commands, options, words and files are completed."""
        self.check()

    def completed(self, line: str) -> set[str]:
        printed = self.run_shell("--no-config", "-c", f"source '{_FILES}/sttproxy.fish'; complete -C '{line}'")
        return {found.partition("\t")[0].rpartition("=")[2] for found in printed.splitlines()}


#: Lets zsh write the words that complete a line into a file, when the tab key is pressed, and a full stop behind them.
_ZSH = """\
fpath=('{files}' $fpath)
autoload -U compinit && compinit -u -D
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a found
    builtin compadd -A found "$@"
    print -rl -- $found >> words
    builtin compadd "$@"
}}
tell() {{
    zle complete-word
    print . >> words
}}
zle -N tell
bindkey '^I' tell
"""


class ZshTests(CompletionTestCase):
    """zsh"""

    shell = shutil.which("zsh") or "zsh"
    if shutil.which("zsh") is None:
        skip = "zsh is not installed; apt-get install zsh"

    def test_completed(self) -> None:
        """Commands, options, words and files are completed."""
        (Path(self.folder) / ".zshrc").write_text(_ZSH.format(files=_FILES))
        self.check()

    def completed(self, line: str) -> set[str]:
        words = Path(self.folder) / "words"
        words.unlink(missing_ok=True)
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(self.shell, [self.shell, "-d", "-i"], self.env)
        try:
            os.write(terminal, line.encode() + b"\t")
            until(lambda: words.exists() and words.read_text().endswith(".\n"), f"the words for {line}")
            return {word.rstrip("=") for word in words.read_text().split()}
        finally:
            os.close(terminal)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class ManualTests(SynchronousTestCase):
    """The manual page."""

    def setUp(self) -> None:
        self.page = ROOT / "etc/man/sttproxy.1"

    def test_complete(self) -> None:
        """All options, their variables and all commands are in it."""
        text = self.page.read_text("utf-8").replace("\\-", "-")
        for option in OPTIONS:
            self.assertIn(f"\\fB--{option.name}\\fR", text)
            self.assertIn(option.variable, text)
        for command in COMMANDS:
            self.assertIn(f".SS sttproxy {command}", text)

    def test_valid(self) -> None:
        """groff reads it without a warning."""
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed; apt-get install groff-base")
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", str(self.page)], capture_output=True, text=True, timeout=_LIMIT_S
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
