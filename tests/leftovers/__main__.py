"""Interrupt each suite and each program in the middle, and see that nothing is left: `python -m tests.leftovers`.

Each is started from a terminal's point of view, in a session of its own, until it is well under way. Then it gets Ctrl-C
(SIGINT to all of its processes) or what a service manager sends (SIGTERM to the first alone), must end within minutes, with
an exit code other than 0, and leave no process, namespace, mount, control group, link, route or file of a lab or a cloud.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from deployments.project import PROJECT
from tests.lab import LabError
from tests.lab.shell import interrupt_on_sigterm, wait_until
from tests.leftovers.found import Process, everything, ours, processes

_BEGIN_S = 1200
_END_S = 240


def _runs(text: str, age_s: float = 0, among: Callable[[], Iterable[Process]] = ours) -> Callable[[], bool]:
    """Whether a process has a text in its command line, and this age: of this project's, or of all on this machine."""
    return lambda: any(text in one.line and one.age_s >= age_s for one in among())


def _all(*conditions: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: all(condition() for condition in conditions)


@dataclass(frozen=True)
class Case:
    """Something that is interrupted.

    Attributes:
        words: Its command.
        midway: Whether it is well under way.
        environment: Variables besides.
    """

    words: tuple[str, ...]
    midway: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)


def _make(target: str, midway: Callable[[], bool], only: str = "") -> Case:
    return Case(("make", target), midway, {"PYTEST_ADDOPTS": f"-k '{only}'"} if only else {})


def _module(name: str, *words: str, midway: Callable[[], bool]) -> Case:
    return Case((sys.executable, "-m", name, *words), midway)


_RESTORING = _runs("tests.restore_galera.run", age_s=12)
_IN_A_WORKER = _runs("prefect.flow_engine", age_s=12)
# A member of a group, under the load of a check.
_CHECKING = _runs("dd if=/dev/zero of=/dev/null", among=processes)
CASES = {
    "lab that comes up": _make("lab", _runs("scripts/pid1.sh", age_s=3, among=processes)),
    "test-server": _make("test-server", _runs("prefect worker start", age_s=3), only="bare or scheduled"),
    "test-lab": _make("test-lab", _RESTORING, only="restores_from"),
    "test-openstack": _make("test-openstack", _CHECKING, only="no_load_is_left"),
    "test-both": _make("test-both", _all(_RESTORING, _CHECKING), only="restores_from or no_load_is_left"),
    "demo": _make("demo", _IN_A_WORKER),
    "bench": _module(
        *("tests.benchmarks", "--size-mb", "20", "--only", "by-hand"),
        midway=_runs("benchmarks/by-hand.sh", age_s=30, among=processes),
    ),
    "interrupted": _module("tests.interrupted", "--only", "after 6", midway=_RESTORING),
}
_SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


def interrupt(case: Case, number: signal.Signals, log: Path) -> list[str]:
    """Start it, interrupt it midway; returns what is wrong afterwards."""
    with log.open("w") as output:
        process = subprocess.Popen(
            case.words,
            cwd=PROJECT,
            env={**os.environ, **case.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until("it is not under way", lambda: _not_yet(process, case, log), _BEGIN_S, interval=0.5)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        began = time.monotonic()
        code = process.wait(_END_S)
        print(f"    ended with {code} after {time.monotonic() - began:.1f} s", flush=True)
    except (LabError, subprocess.TimeoutExpired) as error:
        return [str(error)]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return [*(["it ended with 0"] if code == 0 else []), *everything()]


def _not_yet(process: subprocess.Popen[bytes], case: Case, log: Path) -> str:
    if process.poll() is not None:
        raise LabError(f"it ended by itself with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    return "" if case.midway() else "not midway"


def main() -> int:
    """Interrupt them one after the other; 0 where nothing was left of any. The first that left something ends it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.leftovers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=CASES, metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--signal", action="append", choices=_SIGNALS, metavar="NAME", help="SIGINT or SIGTERM")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or what is started here would ignore it, too
    options = parser.parse_args()
    interrupt_on_sigterm()
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    if found := everything():
        print(f"{len(found)} things are there already, as: {found[0]}; end them first", file=sys.stderr)
        return 1
    try:
        for name in options.only or CASES:
            for number in options.signal or _SIGNALS:
                print(f"{name}, {number}", flush=True)
                if found := interrupt(CASES[name], _SIGNALS[number], build / "leftovers.log"):
                    print("\n".join(f"    LEFT: {one}" for one in found[:20]), f"\n    {len(found)} in all", flush=True)
                    return 1
                print("    nothing is left", flush=True)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
