"""What a check says at its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.cloud import Cloud
from tasks.autoscaling.group.member_shells import MemberShells, member_access
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import Thresholds
from tasks.autoscaling.watching.call_rate import CallRate
from tasks.runbooks.check_autoscaling.check import CheckNotPassed, ScalingCheck, render
from tasks.runbooks.check_autoscaling.check_plan import Intervals, ScalingCheckPlan
from tests.unit.cloud_api import overcloud
from tests.unit.tasks.autoscaling.timelines import good

JOB = ScalingCheckPlan(
    Cloud("overcloud"),
    "check-autoscaling",
    False,
    None,
    "x",
    Thresholds(50, 10),
    Intervals(60, 60, 60, 300),
    "1",
)


def test_a_verdict_tells_each_transition_with_its_time() -> None:
    timeline = good()
    text = render(judge(timeline), timeline, "/pictures/x.png", [str(CallRate(240, 300))])
    assert text.startswith("# passed")
    for step in ("1 → 2", "2 → 3", "3 → 2", "2 → 1"):
        assert f"- {step} after" in text
    assert "/pictures/x.png" in text
    assert "asked 240 times in 300 s: 48 calls a minute" in text
    assert "polling, evaluation and cooldown allow" in text


def test_a_verdict_on_nothing_says_that_nothing_changed() -> None:
    timeline = replace(good(), observations=())
    text = render(judge(timeline), timeline, "x.png", [])
    assert not text.startswith("# passed")
    assert text.count("- no change") == 2


@pytest.mark.parametrize("outcome", ["failed", "inconclusive"])
def test_a_group_that_did_not_pass_fails_the_run(outcome: str) -> None:
    with MemberShells(overcloud(), member_access("cirros", Path("/key"))) as members:
        check = ScalingCheck(JOB, members)
        check.raise_if_not_passed()
        check.verdict = replace(judge(good()), outcome=outcome, why="because")  # type: ignore[arg-type]
        with pytest.raises(CheckNotPassed, match=f"{outcome}: because"):
            check.raise_if_not_passed()
        check.verdict = judge(good())
        check.raise_if_not_passed()


def test_its_own_stack_bears_its_name_as_a_tag() -> None:
    assert JOB.tags == ("openstack-runbooks", "check-autoscaling", "run-1")
