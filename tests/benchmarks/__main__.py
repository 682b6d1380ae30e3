"""Time restore-galera against the documented commands typed by hand: `python -m tests.benchmarks`.

Contenders, each of which restores the same dump into the same lab:
  by-hand   the documented commands over ssh, one controller after the other
  adopt     the flow; Pacemaker adopts the running cluster
  restart   the flow with the documented restart
  bare      the commands of `adopt` as a bare shell script: no Prefect, no journal, no locks, no checks
  states    the flow from every starting state of the lab's tests, against a healthy start
  task      what one Prefect task costs (no lab)

Without options: by-hand and restart once with 1 GB of databases; adopt and bare in three rounds with 1 GB and in five with
20 MB; states with 20 MB; task. What is compared are medians.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import results
from tests.benchmarks.flow_run import deployed, restore, server
from tests.benchmarks.lab_job import Job, prepare, timed_script, whole_afterwards
from tests.benchmarks.results import Result, compare
from tests.benchmarks.starting_states import measure
from tests.lab import Lab, LabError
from tests.lab.settings import DEFAULT_SIZE_MB
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm
from tests.server.fixtures import PrefectServer

_HERE = Path(__file__).resolve().parent
CONTENDERS = ("by-hand", "adopt", "restart", "bare", "states", "task")
_TASK_AIM_S = 0.05
# An overcloud's databases, and those of the lab's tests.
_LARGE_MB, _SMALL_MB = 1024, DEFAULT_SIZE_MB


@dataclass(frozen=True)
class Part:
    """Contenders that run in turn.

    Attributes:
        names: Of the contenders.
        size_mb: Size of the databases.
        rounds: How often each runs.
    """

    names: tuple[str, ...]
    size_mb: int = _LARGE_MB
    rounds: int = 1


# A ratio to the bare script near 1 is known by several rounds alone: a run differs from the next by a tenth.
_ALL = (
    Part(("by-hand", "restart")),
    Part(("adopt", "bare"), rounds=3),
    Part(("adopt", "bare"), _SMALL_MB, rounds=5),
    Part(("states",), _SMALL_MB),
    Part(("task",)),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the contenders; 0 if they all came to their ends, whatever the times are."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=int, help=f"size of the databases (with --only: {_LARGE_MB})")
    parser.add_argument("--rounds", type=int, help="how often each runs, in turn (with --only: 1)")
    parser.add_argument("--only", action="append", choices=CONTENDERS, metavar="NAME", help="may be given again")
    options = parser.parse_args(arguments)
    interrupt_on_sigterm()
    try:
        measured = _measure(parts(options.only, options.size_mb, options.rounds))
    except (LabError, RuntimeError, TimeoutError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        bear_interrupts()
        Lab().down()
        print("benchmarks: interrupted; start them again", file=sys.stderr)
        return 130
    results.write(measured)
    print(f"\n{results.table(measured)}")
    return 0


def parts(only: Sequence[str] | None, size_mb: int | None, rounds: int | None) -> list[Part]:
    """What is run: all of it, or what the options say.

    Args:
        only: Contenders; None for all.
        size_mb: Size of the databases; None as it is planned.
        rounds: None as it is planned.
    """
    planned = [Part(tuple(only))] if only else _ALL
    return list(
        dict.fromkeys(
            Part(one.names, one.size_mb if size_mb is None else size_mb, one.rounds if rounds is None else rounds)
            for one in planned
        )
    )


def _measure(chosen: Sequence[Part]) -> list[Result]:
    measured: list[Result] = []
    with server() as prefect:
        for part in chosen:
            on_lab = [name for name in part.names if name != "task"]
            if on_lab:
                job = prepare(part.size_mb)
                with deployed(prefect, job.lab):
                    measured += _rounds(prefect, job, on_lab, part.rounds)
            if "task" in part.names:
                measured += _task_cost(prefect)
    # The last of a name counts: a comparison is made after each part that it can be made after.
    return list({result.name: result for result in measured}.values())


def _rounds(prefect: PrefectServer, job: Job, names: Sequence[str], rounds: int) -> list[Result]:
    in_turn = [name for name in names if name != "states"]
    for number in range(rounds):
        # There and back, so that a machine that becomes slower favours nobody.
        for name in in_turn if number % 2 == 0 else reversed(in_turn):
            _run(name, prefect, job, first=number == 0)
    states = list(measure(prefect, job, rounds)) if "states" in names else []
    return _comparisons(results.times(job.size_mb), job.size_mb) + states


def _run(name: str, prefect: PrefectServer, job: Job, first: bool) -> None:
    print(f"\n=== {name}", flush=True)
    with whole_afterwards(job):
        if name == "by-hand":
            seconds = timed_script(
                ["bash", str(_HERE / "by-hand.sh"), *_login(job), job.dump.dump, job.dump.grants, *job.addresses]
            )
        elif name == "bare":
            seconds = _bare(prefect, job)
        else:
            took = restore(prefect, job, name)
            seconds = took.flow_s
            print(f"from the command line to the end: {took.whole_s:.1f} s")
            results.note_time(job.size_mb, f"{name}, whole", took.whole_s, first)
    print(f"{name}: {seconds:.1f} s", flush=True)
    results.note_time(job.size_mb, name, seconds, first)


def _login(job: Job) -> tuple[str, str, str]:
    return ("heat-admin", str(job.lab.key), str(job.lab.known_hosts))


def _bare(prefect: PrefectServer, job: Job) -> float:
    made = prefect.run("-m", "tests.benchmarks.bare_script", str(job.lab.site), job.dump.dump, job.dump.grants, "adopt")
    if made.returncode != 0:
        raise LabError(made.stdout + made.stderr)
    # A file that only its owner can read: the script holds root's password.
    with tempfile.NamedTemporaryFile("w", prefix="bare-", suffix=".sh") as script:
        script.write(made.stdout)
        script.flush()
        return timed_script(["bash", script.name, *_login(job)])


def _comparisons(times: dict[str, list[float]], size_mb: int) -> list[Result]:
    """The comparisons for which both sides have run."""
    pairs = (
        ("restore-galera, adopt / by hand", "adopt", "by-hand", 0.3),
        ("restore-galera, restart / by hand", "restart", "by-hand", 0.6),
        ("restore-galera, adopt / bare script", "adopt", "bare", 1.05),
    )
    return [
        compare(f"{name}, {size_mb} MB", times[ours], times[other], aim)
        for name, ours, other, aim in pairs
        if ours in times and other in times
    ]


def _task_cost(prefect: PrefectServer) -> list[Result]:
    done = prefect.run("-m", "tests.benchmarks.task_cost", timeout_s=300)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    costs: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return [Result(f"a task, {how}", round(seconds, 5), None, None, _TASK_AIM_S) for how, seconds in costs.items()]


if __name__ == "__main__":
    sys.exit(main())
