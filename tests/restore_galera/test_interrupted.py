"""Points at which a run can be killed; `make test-interrupted` takes all of them.

The kinds are those of what the next run makes of it: it goes on in the import, or forms the cluster again; in the second test it
begins again, since no data was moved. (Where it takes the first steps again, goes on after Pacemaker has it back, or only looks
since clients had been let in, is seen by the other.)
"""

from __future__ import annotations

import pytest

from tests.interrupted.__main__ import Case, run_case
from tests.lab.dumps import Dump
from tests.restore_galera.cloud import Cloud


@pytest.mark.parametrize(
    "case",
    [Case("15", True), pytest.param(Case("20", True), marks=pytest.mark.exhaustive)],
    ids=str,
)
def test_killed_and_started_again_it_reaches_the_same_end(cloud: Cloud, dump: Dump, case: Case) -> None:
    outcome = run_case(cloud, dump, case)
    assert outcome.problems == []


def test_a_pacemaker_that_looked_meanwhile_does_not_start_the_database_anew(cloud: Cloud, dump: Dump) -> None:
    assert cloud.restore(dump, "--kill-after", "5").killed
    cloud.wait_seen_stopped()
    ended = cloud.restore(dump)
    assert ended.code == 0, ended.output[-4000:]
    assert cloud.problems() == []
    assert cloud.adopted() == set(cloud.lab.controllers)
