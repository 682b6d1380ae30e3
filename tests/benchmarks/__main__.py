"""Time restore-galera against the documented commands typed by hand: `python -m tests.benchmarks`.

Contenders, each of which restores the same dump into the same lab:
  by-hand   the documented commands over ssh, one controller after the other
  adopt     the flow; Pacemaker adopts the running cluster
  restart   the flow with the documented restart
  bare      the commands of `adopt` as a bare shell script: no Prefect, no journal, no locks, no checks
  role-dump, backup-logical, backup-both   the database dumped as the vendor's role does; backed up by the flow, and verified
  from-dump, from-copy   the flow from such a backup, with the new data made beside the old
  undercloud-by-hand, undercloud   the undercloud's database by the documented commands, and by its flow
  images-by-hand, images-pause, images-rolling   images of the controllers in the documented order, and by the flow in either way
  states    the flow from every starting state of the lab's tests, against a healthy start
  task      what one Prefect task costs (no lab)

Without options: by-hand, restart, and all of backups once with 1 GB of databases, from-copy with 3 GB too; adopt and bare in three
rounds with 1 GB and in five with 20 MB; states with 20 MB; task. What is compared are medians.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from tests.benchmarks import backups, images, results, undercloud_restore
from tests.benchmarks.client import client_at_the_vip
from tests.benchmarks.flow_run import deployed, restore, server
from tests.benchmarks.lab_job import Job, login, prepare, timed_script, whole_afterwards
from tests.benchmarks.results import Result, compare
from tests.benchmarks.starting_states import measure
from tests.lab import Lab, LabError
from tests.lab.settings import DEFAULT_SIZE_MB
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm
from tests.server.fixtures import PrefectServer

_HERE = Path(__file__).resolve().parent
CONTENDERS = (
    "by-hand",
    "adopt",
    "restart",
    "bare",
    *backups.CONTENDERS,
    *undercloud_restore.CONTENDERS,
    *images.CONTENDERS,
    "states",
    "task",
)
_TASK_AIM_S = 0.05
# An overcloud's databases, and those of the lab's tests; three times the former, for what should not depend on it.
_LARGE_MB, _SMALL_MB, _LARGEST_MB = 1024, DEFAULT_SIZE_MB, 3072


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

    @property
    def of_images(self) -> bool:
        """Whether it needs hosts with ReaR."""
        return set(self.names) <= set(images.CONTENDERS)


# A ratio to the bare script near 1 is known by several rounds alone: a run differs from the next by a tenth.
_ALL = (
    Part(("by-hand", "restart", *backups.CONTENDERS)),
    Part(("backup-both", "from-copy"), _LARGEST_MB),
    Part(("adopt", "bare"), rounds=3),
    Part(("adopt", "bare"), _SMALL_MB, rounds=5),
    Part(("states",), _SMALL_MB),
    Part(undercloud_restore.CONTENDERS, _SMALL_MB, rounds=3),
    Part(images.CONTENDERS, _SMALL_MB),
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
    planned: Sequence[Part] = _ALL
    if only:
        of_images = tuple(name for name in only if name in images.CONTENDERS)
        others = tuple(name for name in only if name not in images.CONTENDERS)
        planned = [Part(names) for names in (others, of_images) if names]
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
                with TemporaryDirectory(prefix="benchmarks-") as folder, ExitStack() as stack:
                    site = backups.Site.of(prefect, job, Path(folder))
                    site_file = site.backed_up.site_file
                    if part.of_images:
                        site_file = stack.enter_context(images.ready(prefect, job, Path(folder)))
                    stack.enter_context(deployed(prefect, site_file))
                    measured += _rounds(site, job, on_lab, part.rounds)
            if "task" in part.names:
                measured += _task_cost(prefect)
    # The last of a name counts: a comparison is made after each part that it can be made after.
    return list({result.name: result for result in measured}.values())


def _rounds(site: backups.Site, job: Job, names: Sequence[str], rounds: int) -> list[Result]:
    in_turn = [name for name in names if name != "states"]
    for number in range(rounds):
        # There and back, so that a machine that becomes slower favours nobody. (A backup comes before the restore from it.)
        for name in in_turn if number % 2 == 0 else reversed(in_turn):
            _run(name, site, job, first=number == 0)
    states = list(measure(site.prefect, job, rounds)) if "states" in names else []
    return _comparisons(results.times(job.size_mb), job.size_mb) + _outage_by_size() + states


def _run(name: str, site: backups.Site, job: Job, first: bool) -> None:
    print(f"\n=== {name}", flush=True)
    with whole_afterwards(job), client_at_the_vip(job.lab) as client:
        shown = _seconds(name, site, job)
    shown[f"{name}, outage"] = client.outage_s
    for what, seconds in shown.items():
        print(f"{what}: {seconds:.1f} s", flush=True)
        results.note_time(job.size_mb, what, seconds, first)


def _seconds(name: str, site: backups.Site, job: Job) -> dict[str, float]:
    """Let a contender run; its seconds, and others that it shows, each by its name."""
    if name in backups.CONTENDERS:
        return backups.run(name, site, job)
    if name in images.CONTENDERS:
        return images.run(name, site.prefect, job)
    if name in undercloud_restore.CONTENDERS:
        return undercloud_restore.run(name, site.prefect, job)
    if name == "by-hand":
        script = ["bash", str(_HERE / "by-hand.sh"), *login(job), job.dump.dump, job.dump.grants, *job.addresses]
        return {name: timed_script(script)}
    if name == "bare":
        return {name: _bare(site.prefect, job)}
    took = restore(site.prefect, job, name)
    return {name: took.flow_s, f"{name}, whole": took.whole_s}


def _bare(prefect: PrefectServer, job: Job) -> float:
    made = prefect.run("-m", "tests.benchmarks.bare_script", str(job.lab.site), job.dump.dump, job.dump.grants, "adopt")
    if made.returncode != 0:
        raise LabError(made.stdout + made.stderr)
    # A file that only its owner can read: the script holds root's password.
    with NamedTemporaryFile("w", prefix="bare-", suffix=".sh") as script:
        script.write(made.stdout)
        script.flush()
        return timed_script(["bash", script.name, *login(job)])


# What is compared, in a part's own size: ours, the other, and what the ratio should be at most.
_PAIRS = (
    ("restore-galera, adopt / by hand", "adopt", "by-hand", 0.3),
    ("restore-galera, restart / by hand", "restart", "by-hand", 0.6),
    ("restore-galera, adopt / bare script", "adopt", "bare", 1.05),
    ("backup-control-plane, logical / the role's dump", "backup-logical", "role-dump", 0.5),
    ("its physical copy / the role's dump", "backup-both, the copy", "role-dump", 0.5),
    ("verification / the backup that it verifies", "backup-logical, verification", "backup-logical", 2.0),
    ("restore-galera from a copy / by hand", "from-copy", "by-hand", 0.2),
    ("restore-galera from a dump / by hand", "from-dump", "by-hand", 0.27),
    ("outage, from a copy / by hand", "from-copy, outage", "by-hand, outage", 0.12),
    ("outage, from a dump / by hand", "from-dump, outage", "by-hand, outage", 0.12),
    ("restore-undercloud-database / by hand", "undercloud", "undercloud-by-hand", 0.4),
    *images.PAIRS,
)


def _comparisons(times: dict[str, list[float]], size_mb: int) -> list[Result]:
    """The comparisons for which both sides have run."""
    compared = [
        compare(f"{name}, {size_mb} MB", times[ours], times[other], aim)
        for name, ours, other, aim in _PAIRS
        if ours in times and other in times
    ]
    return compared + images.beside_the_image(times)


def _outage_by_size() -> list[Result]:
    """Whether an outage grows with the databases."""
    what = "from-copy, outage"
    large, largest = (results.times(size_mb).get(what) for size_mb in (_LARGE_MB, _LARGEST_MB))
    return (
        [compare(f"outage, from a copy, {_LARGEST_MB} MB / {_LARGE_MB} MB", largest, large, 1.2)]
        if large and largest
        else []
    )


def _task_cost(prefect: PrefectServer) -> list[Result]:
    done = prefect.run("-m", "tests.benchmarks.task_cost", timeout_s=300)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    costs: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return [Result(f"a task, {how}", round(seconds, 5), None, None, _TASK_AIM_S) for how, seconds in costs.items()]


if __name__ == "__main__":
    sys.exit(main())
