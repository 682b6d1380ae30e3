"""restore-galera from every state in which the lab's tests let it start, next to what it takes from a healthy cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.benchmarks import results
from tests.benchmarks.flow_run import restore
from tests.benchmarks.lab_job import Job, whole_afterwards
from tests.benchmarks.results import Result, compare
from tests.lab import LabError
from tests.lab.dumps import Dump
from tests.restore_galera import damages
from tests.restore_galera.cloud import Cloud
from tests.server.fixtures import PrefectServer

_AIM = 1.5
# How often from a healthy cluster at least: all others are held against its median.
_HEALTHY_ROUNDS = 3


def _damaged(damage: damages.Damage) -> Callable[[Cloud, Dump], None]:
    return lambda cloud, dump: damage(cloud.lab)


def _killed(flag: str, step: str) -> Callable[[Cloud, Dump], None]:
    """A run that died there, and left the cluster half built."""

    def kill(cloud: Cloud, dump: Dump) -> None:
        ended = cloud.restore(dump, flag, step)
        if not ended.killed:
            raise LabError(f"the run was not killed: exit code {ended.code}\n{ended.output[-3000:]}")

    return kill


STATES = {
    "databases shut down": _damaged(damages.all_databases_stopped),
    "databases killed a moment ago": _damaged(damages.all_databases_killed),
    "containers stopped": _damaged(damages.containers_stopped),
    "grastate.dat gone on one": _damaged(damages.grastate_gone_on_one),
    "grastate.dat gone on all": _damaged(damages.grastate_gone_on_all),
    "data of one wiped": _damaged(damages.data_of_one_wiped),
    "one lost power": _damaged(damages.one_lost_power),
    "a run killed after step 6": _killed("--kill-after", "6"),
    "a run killed in its import": _killed("--kill-during", "15"),
    "a run killed while nodes join": _killed("--kill-during", "20"),
}


def measure(prefect: PrefectServer, job: Job, rounds: int) -> Iterator[Result]:
    """Restore from each state, in turn.

    Args:
        prefect: With the lab's site applied, and a worker.
        job: The lab and the dump.
        rounds: How often from each state.

    Yields:
        Each state's comparison, by medians.
    """
    for number in range(max(rounds, _HEALTHY_ROUNDS)):
        _restore(prefect, job, "from healthy", lambda cloud, dump: None, first=number == 0)
    for number in range(rounds):
        for state, bring_about in STATES.items():
            _restore(prefect, job, f"from {state}", bring_about, first=number == 0)
    times = results.times(job.size_mb)
    for state in STATES:
        name = f"restore-galera, {state} / healthy, {job.size_mb} MB"
        yield compare(name, times[f"from {state}"], times["from healthy"], _AIM)


def _restore(
    prefect: PrefectServer, job: Job, name: str, bring_about: Callable[[Cloud, Dump], None], first: bool
) -> None:
    print(f"\n=== {name}", flush=True)
    with whole_afterwards(job):
        bring_about(Cloud(job.lab, prefect), job.dump)
        took = restore(prefect, job, "adopt")
    print(f"{name}: {took.flow_s:.1f} s", flush=True)
    results.note_time(job.size_mb, name, took.flow_s, first)
