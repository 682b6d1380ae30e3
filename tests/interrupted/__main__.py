"""Kill restore-galera after each of its steps, and in the middle of its long ones, and run it again.

    python -m tests.interrupted [--only STEP …]

Each time: rows are written that the dump does not hold, the run is killed by SIGKILL, the runbook is started again, and the
cluster must be whole, hold what the dump holds on every node and nothing else. Writes a table to build/interrupted.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deployments.project import PROJECT
from tests.lab import Lab, dumps
from tests.lab.dumps import Dump
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm
from tests.restore_galera.cloud import Cloud, Ended
from tests.server.fixtures import PrefectServer
from tests.unit.flows.jobs import ORDER

# Steps that perform something; 1, 3 and 19 are asked in preflight, 21 and 23 belong to the other ending,
# 25b, 25c and 25e to a Pacemaker that does not adopt.
AFTER = [step for step in ORDER if step not in {"1", "3", "19", "21", "23", "25b", "25c", "25e"}]
DURING = ["5", "9", "10", "15", "17", "20", "24", "25"]


@dataclass(frozen=True)
class Case:
    """One point of interruption."""

    step: str
    during: bool

    @property
    def flag(self) -> tuple[str, str]:
        """The words for the process that is killed."""
        return ("--kill-during" if self.during else "--kill-after", self.step)

    def __str__(self) -> str:
        return f"{'during' if self.during else 'after'} {self.step}"


@dataclass(frozen=True)
class Outcome:
    """What became of it."""

    case: Case
    decision: str
    first_s: float
    second_s: float
    problems: list[str]


def run_case(cloud: Cloud, dump: Dump, case: Case) -> Outcome:
    """Kill a run, run it again, and look at what is there."""
    mark = f"later-{time.time_ns()}"
    cloud.write_mark(mark)
    before = cloud.checksums("controller-0")
    first = cloud.restore(dump, *case.flag)
    problems = [] if first.killed else [f"the first run was not killed: exit code {first.code}\n{first.output[-3000:]}"]
    second = cloud.restore(dump)
    if second.code != 0:
        problems.append(f"the second run ended with {second.code}\n{second.output[-3000:]}")
        return Outcome(case, decision(second), first.seconds, second.seconds, problems)
    problems += cloud.problems()
    for host in cloud.lab.controllers:
        if cloud.marks(host) != {"before"}:
            problems.append(f"{host} has the marks {cloud.marks(host)}")
        if not same_but_mark(cloud.checksums(host), before):
            problems.append(f"{host} holds other rows than were dumped")
    return Outcome(case, decision(second), first.seconds, second.seconds, problems)


def same_but_mark(one: str, other: str) -> bool:
    """Whether two lists of checksums agree, but for the table that holds the marks."""
    return strip_mark(one) == strip_mark(other)


def strip_mark(checksums: str) -> list[str]:
    """The checksums without that of the marks."""
    return [line for line in checksums.splitlines() if not line.startswith("keystone.mark\t")]


def decision(ended: Ended) -> str:
    """What the run said of how it goes on."""
    found = re.search(r"kept on each as \S+ (.+)", ended.output)
    return found[1].strip() if found else "from the beginning"


def table(outcomes: list[Outcome]) -> str:
    """The results in Markdown."""
    rows = ["| killed | after (s) | started again | took (s) | result |", "|---|---|---|---|---|"]
    for one in outcomes:
        result = "whole, the dump's rows" if not one.problems else "; ".join(one.problems).splitlines()[0]
        rows.append(f"| {one.case} | {one.first_s:.0f} | {one.decision} | {one.second_s:.0f} | {result} |")
    return "\n".join(rows) + "\n"


def cases(only: list[str]) -> list[Case]:
    """All points of interruption, or those that are named (`15`, `during 15`)."""
    every = [Case(step, False) for step in AFTER] + [Case(step, True) for step in DURING]
    return [case for case in every if not only or str(case) in only or case.step in only]


def main() -> int:
    """Run them all; 0 where every one ended well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], metavar="STEP", help="`15` or `during 15`")
    chosen = cases(parser.parse_args().only)
    interrupt_on_sigterm()
    try:
        outcomes = run_cases(chosen)
    except KeyboardInterrupt:
        bear_interrupts()
        Lab().down()
        print("interrupted; build/interrupted.md has what was seen so far", file=sys.stderr)
        return 130
    return 1 if any(one.problems for one in outcomes) else 0


def run_cases(chosen: list[Case]) -> list[Outcome]:
    """Run them one after the other, and write the table as it grows."""
    lab = Lab()
    lab.up()
    build = PROJECT / "build"
    build.mkdir(exist_ok=True)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as home:
        server = PrefectServer.start(Path(home))
        try:
            server.run("-m", "deployments", "apply", "--site", str(lab.site)).check_returncode()
            cloud = Cloud(lab, server)
            cloud.lab.sql("controller-0", "DROP TABLE IF EXISTS keystone.mark")
            cloud.write_mark("before")
            dump = dumps.complete(lab)
            for number, case in enumerate(chosen, 1):
                outcomes.append(run_case(cloud, dump, case))
                (build / "interrupted.md").write_text(table(outcomes))
                last = outcomes[-1]
                print(f"{number}/{len(chosen)} {table([last]).splitlines()[-1]}", flush=True)
                if last.problems:
                    print("\n".join(last.problems), flush=True)
        finally:
            server.stop()
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
