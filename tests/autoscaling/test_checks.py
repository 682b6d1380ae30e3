"""Both checks pass, at the same time on one cloud; what a killed one has left, the next one finds and removes."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from openstack.exceptions import NotFoundException

from tests.autoscaling.runbooks import BESIDE, INTERVALS, PARAMETERS, SITE, Begun, Ended, Runbooks
from tests.autoscaling.stacks import Standing
from tests.lab.shell import wait_until

GROUP, FARM = "check-autoscaling", "check-web-autoscaling"
_FARM_STACK = "webfarm"
# The document's own image, of which the CPU group is made: what is run in its members needs no more than busybox.
_CIRROS = {**INTERVALS, "member_user": "cirros"}
_ASKED_AGAIN = "it is asked again"
_LOAD = "pgrep --list-full --full '[d]d if=/dev/zero of=/dev/null'"


@pytest.fixture(scope="module")
def begun(runbooks: Runbooks) -> Begun:
    """A check that is going to be killed."""
    return runbooks.begin(GROUP, stack_parameters=PARAMETERS, **_CIRROS)


@pytest.fixture(scope="module")
def farm(runbooks: Runbooks, begun: Begun) -> Iterator[Standing]:
    """A web farm as deploy-stack makes it, beside that check; its own check is to look at it, and not to remove it."""
    with Standing.made(runbooks, _FARM_STACK, "web-farm", BESIDE, **PARAMETERS, subnet="private") as farm:
        yield farm


@pytest.fixture(scope="module")
def loaded(runbooks: Runbooks, begun: Begun, farm: Standing) -> Begun:
    """The check, whose member is under load."""

    def look() -> str:
        assert begun.process.poll() is None, begun.output[-3000:]
        return "" if "dd if=/dev/zero" in runbooks.cloud.exec(_LOAD, check=False).stdout else "no load"

    wait_until("the member was not loaded", look, timeout=120)
    return begun


@pytest.fixture(scope="module")
def elsewhere(runbooks: Runbooks, loaded: Begun) -> Ended:
    """The same check of another site on the same project, meanwhile."""
    return runbooks.run(GROUP, site=BESIDE, stack_parameters=PARAMETERS, **_CIRROS, dry_run=True)


@pytest.fixture(scope="module")
def killed(runbooks: Runbooks, loaded: Begun, elsewhere: Ended) -> Begun:
    """The check, killed while its member is under load."""
    assert loaded.process.poll() is None, loaded.output[-3000:]
    loaded.process.send_signal(signal.SIGKILL)
    loaded.process.wait(10)
    runbooks.crashed(GROUP)
    return loaded


@dataclass
class Both:
    """Both checks, which went on at the same time.

    Attributes:
        left: Id of the stack that the killed check had left.
        group: The next check of the CPU group.
        farm: That of the web farm.
    """

    left: str
    group: Ended
    farm: Ended


@pytest.fixture(scope="module")
def both(runbooks: Runbooks, killed: Begun, farm: Standing) -> Both:
    left = runbooks.cloud.connect().get_stack(GROUP).id
    farm.rest()
    group = runbooks.begin(GROUP, stack_parameters=PARAMETERS, **_CIRROS)
    web = runbooks.begin(FARM, site=BESIDE, stack_name=_FARM_STACK, **INTERVALS)
    for begun in (group, web):
        wait_until("it did not begin to watch", lambda begun=begun: says(begun, "1b on"), timeout=240)  # type: ignore[misc]
    with runbooks.cloud.faults.during("alarm-api"):
        wait_until("nobody missed the alarms", lambda: says(group, _ASKED_AGAIN) or says(web, _ASKED_AGAIN), timeout=60)
    return Both(left, group.wait(), web.wait())


def says(begun: Begun, text: str) -> str:
    """Nothing, once a run that goes on has said something."""
    assert begun.process.poll() is None, begun.output[-3000:]
    return "" if text in begun.output else f"it said {begun.output[-500:]}"


def test_the_stack_of_a_check_that_is_at_work_was_not_left_for_another_site(elsewhere: Ended) -> None:
    assert elsewhere.code == 1, elsewhere.output[-3000:]
    assert re.search(
        rf"stack {GROUP} is that of flow run {GROUP} on {SITE} \(\S+\) on site {SITE}, Running; wait for",
        elsewhere.output,
    )


def test_the_load_of_a_killed_check_has_a_time_limit_of_its_own(runbooks: Runbooks, killed: Begun) -> None:
    left = runbooks.cloud.exec(_LOAD).stdout
    (limit,) = set(re.findall(r"limit (\d+)$", left, re.MULTILINE))
    assert 60 < int(limit) < 900


def test_the_stack_of_a_killed_check_bears_the_names_to_find_it_by(runbooks: Runbooks, killed: Begun) -> None:
    stack = runbooks.cloud.connect().get_stack(GROUP)
    (run,) = set(stack.tags) - {"openstack-runbooks", GROUP}
    assert re.fullmatch("run-[0-9a-f-]{36}", run)
    planned = runbooks.run(GROUP, stack_parameters=PARAMETERS, **INTERVALS, dry_run=True)
    assert planned.code == 0, planned.output[-3000:]
    assert "Remove what an earlier run left" in planned.output


def test_a_check_under_another_name_tells_of_it_and_leaves_it(runbooks: Runbooks, killed: Begun) -> None:
    planned = runbooks.run(GROUP, stack_name="another", stack_parameters=PARAMETERS, **INTERVALS, dry_run=True)
    assert planned.code == 0, planned.output[-3000:]
    assert f"stack {GROUP} bears this runbook's tag" in planned.output
    assert "Remove what an earlier run left" not in planned.output
    assert runbooks.cloud.connect().get_stack(GROUP) is not None


def test_the_next_check_removes_it_and_a_group_that_scales_passes(runbooks: Runbooks, both: Both) -> None:
    assert both.group.code == 0, both.group.output[-5000:]
    is_passed(str(runbooks.artifact(f"{GROUP}-openstack-verdict")))
    assert str(runbooks.artifact(f"{GROUP}-openstack-picture")).startswith("data:image/png;base64,")
    project = runbooks.cloud.connect()
    assert project.get_stack(GROUP) is None
    with pytest.raises(NotFoundException):
        project.orchestration.get_stack(both.left)


def test_a_web_farm_that_scales_passes_and_no_visitor_notices(runbooks: Runbooks, both: Both) -> None:
    assert both.farm.code == 0, both.farm.output[-5000:]
    verdict = str(runbooks.artifact(f"{FARM}-{BESIDE}-verdict"))
    is_passed(verdict)
    assert "POST to the webhook to scale up: 200" in both.farm.output
    (asked,) = re.findall(r"(\d+) requests of a visitor, none was lost", verdict)
    assert int(asked) > 200
    assert "Members that left the pool before their servers went: 2" in verdict


def test_a_service_that_was_away_for_a_moment_changed_nothing(both: Both) -> None:
    for ended in (both.group, both.farm):
        assert _ASKED_AGAIN in ended.output
        assert "1b on" not in ended.output.partition(_ASKED_AGAIN)[2]  # no step was begun anew


def test_no_load_is_left(runbooks: Runbooks, both: Both) -> None:
    assert runbooks.cloud.exec("pgrep --exact dd", check=False).stdout == ""


def test_a_webhook_that_refuses_is_named(runbooks: Runbooks, both: Both, farm: Standing) -> None:
    farm.rest()
    with runbooks.cloud.faults.during("webhook"):
        ended = runbooks.run(FARM, site=BESIDE, stack_name=_FARM_STACK, **INTERVALS)
    assert ended.code == 1, ended.output[-5000:]
    verdict = str(runbooks.artifact(f"{FARM}-{BESIDE}-verdict"))
    assert verdict.startswith("# failed\n\nwebhook refused: the webhook to scale up answered 403: Keystone")


def is_passed(verdict: str) -> None:
    """Assert that a group went all the way and back, and that the cloud was not asked more than once a second."""
    assert verdict.startswith("# passed")
    for step in ("1 → 2", "2 → 3", "3 → 2", "2 → 1"):
        assert step in verdict
    (calls,) = re.findall(r"(\d+) calls a minute", verdict)
    assert int(calls) <= 60
