"""Run several targets of the Makefile at the same time: `python -m tests.side_by_side test-lab test-openstack`.

Each line of a target's output bears its name; without the others' lines it is in build/TARGET.log. What all of them need
on this machine is installed before, as apt serves one at a time. Ctrl-C and SIGTERM end all of them, each with what it has
made; none ends because of another.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from deployments.project import PROJECT
from tests.lab.base import install_packages
from tests.lab.shell import LabError, Progress, bear_interrupts, interrupt_on_sigterm

# What a target that was interrupted gets to take down what it has made.
_PATIENCE_S = 240
# So that a target does not outlive this process, even if that is killed.
_CONTAINED = ("setpriv", "--pdeathsig", "TERM")


class Target:
    """A target that is being made, in a session of its own: a terminal's Ctrl-C does not reach it by itself."""

    def __init__(self, name: str, width: int, build: Path) -> None:
        self.name = name
        self.seconds = 0.0
        self._label = f"{name:{width}} | "
        self._log = build / f"{name}.log"
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [*_CONTAINED, "make", "--no-print-directory", name],
            cwd=PROJECT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines, self._log.open("w") as log:
            for line in lines:
                log.write(line)
                log.flush()
                # One write a line, or two targets' lines would mix.
                sys.stdout.write(self._label + line)
                sys.stdout.flush()
        self.seconds = time.monotonic() - self._began

    def wait(self) -> int:
        """Wait until it has ended; returns its exit code."""
        code = self._process.wait()
        self._reader.join(10)  # something that it has left running may hold its output open
        return code

    def interrupt(self) -> None:
        """Ask it to end; make passes it on."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for the end of what was asked to end, and kill what does not."""
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within {_PATIENCE_S} s and is killed", file=sys.stderr)
            os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the targets; 0 if all of them were, 1 if one failed, 130 where it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.side_by_side", description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    names = parser.parse_args(arguments).targets
    interrupt_on_sigterm()
    try:
        if os.geteuid() == 0:  # else each says for itself what it needs root for
            install_packages(Progress())
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    targets: list[Target] = []
    try:
        targets += (Target(name, max(map(len, names)), build) for name in names)
        codes = [target.wait() for target in targets]
    except KeyboardInterrupt:
        _end(targets)
        print("interrupted: what was under way is taken down", file=sys.stderr)
        return 130
    for target, code in zip(targets, codes, strict=True):
        print(f"{target.name}: {'passed' if code == 0 else f'failed ({code})'} after {target.seconds:.0f} s")
    return 1 if any(codes) else 0


def _end(targets: Sequence[Target]) -> None:
    bear_interrupts()
    for target in targets:
        target.interrupt()
    for target in targets:
        target.end()


if __name__ == "__main__":
    sys.exit(main())
