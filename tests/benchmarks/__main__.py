"""Time restore-galera against the documented commands typed by hand: `python -m tests.benchmarks`.

Contenders, each of which restores the same dump into the same lab:
  by-hand   the documented commands over ssh, one controller after the other
  adopt     the flow; Pacemaker adopts the running cluster
  restart   the flow with the documented restart
  bare      the commands of `adopt` as a bare shell script: no Prefect, no journal, no locks, no checks
  task      what one Prefect task costs (no lab)
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import results
from tests.benchmarks.flow_run import deployed, restore, server
from tests.benchmarks.lab_job import Job, prepare, timed_script, whole_afterwards
from tests.benchmarks.results import Result, compare
from tests.lab import Lab, LabError
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm
from tests.server.fixtures import PrefectServer

_HERE = Path(__file__).resolve().parent
CONTENDERS = ("by-hand", "adopt", "restart", "bare", "task")
_TASK_AIM_S = 0.05
# An overcloud's databases; those of the other tests' lab are smaller.
_SIZE_MB = 1024


def main(arguments: list[str] | None = None) -> int:
    """Run the contenders; 0 if they all came to their ends, whatever the times are."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=int, default=_SIZE_MB, help="size of the databases (default: %(default)s)")
    parser.add_argument(
        "--rounds",
        type=int,
        default=1,
        help="how often each runs, in turn; medians are compared (default: %(default)s)",
    )
    parser.add_argument("--only", action="append", choices=CONTENDERS, metavar="NAME", help="may be given again")
    options = parser.parse_args(arguments)
    chosen = options.only or CONTENDERS
    interrupt_on_sigterm()
    try:
        measured = _measure(chosen, options.size_mb, options.rounds)
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


def _measure(chosen: Sequence[str], size_mb: int, rounds: int) -> list[Result]:
    measured = []
    on_lab = [name for name in chosen if name != "task"]
    with server() as prefect:
        if on_lab:
            job = prepare(size_mb)
            with deployed(prefect, job.lab):
                for number in range(rounds):
                    for name in on_lab:
                        _run(name, prefect, job, first=number == 0)
            measured += _comparisons(results.times(size_mb), size_mb)
        if "task" in chosen:
            measured += _task_cost(prefect)
    return measured


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
        ("restore-galera, adopt / bare script", "adopt", "bare", 1.1),
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
