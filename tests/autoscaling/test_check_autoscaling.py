"""The check passes on a cloud that works; what a killed one has left, the next one finds and removes."""

from __future__ import annotations

import re
import signal

import pytest
from openstack.exceptions import NotFoundException

from tests.autoscaling.conftest import INTERVALS, PARAMETERS, Begun, Runbooks
from tests.lab.shell import wait_until

NAME = "check-autoscaling"
_LOAD = "pgrep --list-full --exact timeout"


@pytest.fixture(scope="module")
def killed(runbooks: Runbooks) -> Begun:
    """A check that is killed while its member is under load."""
    begun = runbooks.begin(NAME, stack_parameters=PARAMETERS, **INTERVALS)

    def loaded() -> str:
        assert begun.process.poll() is None, begun.output[-3000:]
        return "" if "dd if=/dev/zero" in runbooks.cloud.exec(_LOAD, check=False).stdout else "no load"

    wait_until("the member was not loaded", loaded, timeout=120)
    begun.process.send_signal(signal.SIGKILL)
    begun.process.wait(10)
    runbooks.crashed(NAME)
    return begun


def test_the_load_of_a_killed_check_has_a_time_limit_of_its_own(runbooks: Runbooks, killed: Begun) -> None:
    left = runbooks.cloud.exec(_LOAD).stdout
    (limit,) = re.findall(r"timeout (\d+) dd if=/dev/zero of=/dev/null", left)
    assert 60 < int(limit) < 900


def test_the_stack_of_a_killed_check_bears_the_names_to_find_it_by(runbooks: Runbooks, killed: Begun) -> None:
    stack = runbooks.cloud.connect().get_stack(NAME)
    assert set(stack.tags) == {"openstack-runbooks", NAME}
    planned = runbooks.run(NAME, stack_parameters=PARAMETERS, **INTERVALS, dry_run=True)
    assert planned.code == 0, planned.output[-3000:]
    assert "Remove what an earlier run left" in planned.output


def test_a_check_under_another_name_tells_of_it_and_leaves_it(runbooks: Runbooks, killed: Begun) -> None:
    planned = runbooks.run(NAME, stack_name="another", stack_parameters=PARAMETERS, **INTERVALS, dry_run=True)
    assert planned.code == 0, planned.output[-3000:]
    assert f"stack {NAME} bears this runbook's tag" in planned.output
    assert "Remove what an earlier run left" not in planned.output
    assert runbooks.cloud.connect().get_stack(NAME) is not None


def test_the_next_check_removes_it_and_a_group_that_scales_passes(runbooks: Runbooks, killed: Begun) -> None:
    left = runbooks.cloud.connect().get_stack(NAME).id
    ended = runbooks.run(NAME, stack_parameters=PARAMETERS, **INTERVALS)
    assert ended.code == 0, ended.output[-5000:]
    verdict = str(runbooks.artifact(f"{NAME}-openstack-verdict"))
    assert verdict.startswith("# passed")
    for step in ("1 → 2", "2 → 3", "3 → 2", "2 → 1"):
        assert step in verdict
    (calls,) = re.findall(r"(\d+) calls a minute", verdict)
    assert int(calls) <= 60
    assert str(runbooks.artifact(f"{NAME}-openstack-picture")).startswith("data:image/png;base64,")
    project = runbooks.cloud.connect()
    assert project.get_stack(NAME) is None
    with pytest.raises(NotFoundException):
        project.orchestration.get_stack(left)
    assert runbooks.cloud.exec("pgrep --exact dd", check=False).stdout == ""
