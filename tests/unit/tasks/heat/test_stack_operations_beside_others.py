"""What somebody else has made is not destroyed unasked, and what somebody else does meanwhile is no success of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import Conflict
from blocks.remote.errors import WaitExpired
from tasks.heat.failure import StackFailed
from tasks.heat.planning import plan_recreation, plan_stack
from tasks.heat.stack import TAG, Stack
from tasks.heat.stack_operations import delete_stack, deploy_stack
from tests.unit.cloud_api import fail, install, overcloud
from tests.unit.fakes import FakeClock
from tests.unit.tasks.heat.test_stack_operations import BAD, BROKEN, GOOD, HELD, SOURCE, changed
from tests.unit.tasks.heat_api import ID, FakeHeat

THEIRS = ["theirs"]


@pytest.fixture
def heat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeHeat:
    for module in ("blocks.remote.cloud_session", "tasks.heat.stack_operations"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: clock.now)
    return FakeHeat(install(monkeypatch, tmp_path))


@pytest.fixture
def cloud(heat: FakeHeat) -> Cloud:
    return overcloud()


@pytest.mark.parametrize("kind", ["replaced", "deleted"])
def test_what_would_be_lost_is_not_touched_unapproved(heat: FakeHeat, cloud: Cloud, kind: str) -> None:
    heat.status, heat.changes = "CREATE_COMPLETE", {kind: [changed("old")]}
    with pytest.raises(Conflict, match=rf"not approved: stack example: {kind} old \(OS::Nova::Server\)"):
        deploy_stack(cloud, "example", SOURCE)
    assert heat.begun == []
    heat.after["PUT"] = ["UPDATE_COMPLETE"]
    assert (
        deploy_stack(cloud, "example", SOURCE, approved=plan_stack(cloud, "example", SOURCE).destroys).outcome
        == "updated"
    )


def test_what_was_approved_is_not_taken_for_what_would_be_lost_by_now(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.changes = "CREATE_COMPLETE", {"replaced": [changed("old")]}
    approved = plan_stack(cloud, "example", SOURCE).destroys
    heat.changes = {"replaced": [changed("old")], "deleted": [changed("precious")]}
    with pytest.raises(Conflict, match=r"not approved: .*deleted precious"):
        deploy_stack(cloud, "example", SOURCE, approved=approved)
    assert heat.begun == []


def test_what_was_approved_is_found_again_in_whatever_order_heat_tells_it(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.changes = "CREATE_COMPLETE", {"deleted": [changed("one"), changed("two")]}
    approved = plan_stack(cloud, "example", SOURCE).destroys
    heat.changes = {"deleted": [changed("two"), changed("one")]}
    heat.after["PUT"] = ["UPDATE_COMPLETE"]
    assert deploy_stack(cloud, "example", SOURCE, approved=approved).outcome == "updated"


def test_policies_and_alarms_that_heat_makes_anew_are_no_loss(heat: FakeHeat, cloud: Cloud) -> None:
    kinds = ("OS::Heat::ScalingPolicy", "OS::Aodh::GnocchiAggregationByResourcesAlarm", "OS::Ceilometer::Alarm")
    heat.status = "CREATE_COMPLETE"
    heat.changes = {"replaced": [changed("up") | {"resource_type": kind} for kind in kinds]}
    assert plan_stack(cloud, "example", SOURCE).destroys == ""
    heat.changes = {"deleted": [changed("up") | {"resource_type": kind} for kind in kinds]}
    assert plan_stack(cloud, "example", SOURCE).destroys.count("up (OS::") == len(kinds)  # then nothing takes its place


def test_an_operators_own_type_with_alarm_in_its_name_is_a_loss(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.changes = {"replaced": [changed("all") | {"resource_type": "My::Servers::WithAlarm"}]}
    assert "replaced all (My::Servers::WithAlarm)" in plan_stack(cloud, "example", SOURCE).destroys


def test_a_stack_that_no_runbook_has_made_is_not_touched_unapproved(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.tags = "CREATE_COMPLETE", THEIRS
    assert "it was not made by a runbook" in plan_stack(cloud, "example", SOURCE).destroys
    with pytest.raises(Conflict, match="not approved"):
        deploy_stack(cloud, "example", SOURCE)
    assert heat.begun == []


def test_one_that_would_stay_as_it_is_needs_no_approval(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.tags, heat.held = "CREATE_COMPLETE", THEIRS, HELD
    assert plan_stack(cloud, "example", SOURCE).destroys == ""
    assert deploy_stack(cloud, "example", SOURCE).outcome == "already"


@pytest.mark.parametrize("tags", [THEIRS, [TAG, "check-autoscaling"], []])
def test_an_update_keeps_the_stacks_own_tags_and_its_way_with_failures(
    heat: FakeHeat, cloud: Cloud, tags: list[str]
) -> None:
    heat.status, heat.tags = "CREATE_COMPLETE", tags
    heat.after["PUT"] = ["UPDATE_COMPLETE"]
    deploy_stack(cloud, "example", SOURCE, approved=plan_stack(cloud, "example", SOURCE).destroys)
    (asked,) = heat.api.requests("PUT", f"/stacks/example/{ID}")
    assert asked.body.get("tags", "") == ",".join(tags)
    assert "disable_rollback" not in asked.body


def test_somebody_elses_creation_that_fails_is_never_removed(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then, heat.tags, heat.resources = "CREATE_IN_PROGRESS", list(BAD), THEIRS, BROKEN
    with pytest.raises(StackFailed):
        deploy_stack(cloud, "example", SOURCE, keep_failed=False)
    assert heat.begun == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_stack_that_somebody_deletes_meanwhile_does_not_stand(heat: FakeHeat, cloud: Cloud, method: str) -> None:
    heat.status = "" if method == "POST" else "CREATE_COMPLETE"
    heat.after[method] = ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    with pytest.raises(Conflict, match="was deleted while"):
        deploy_stack(cloud, "example", SOURCE)


@pytest.mark.parametrize(
    "theirs",
    [
        {"template": {"heat_template_version": "2018-08-31"}},
        {"environment": HELD["environment"] | {"parameters": {"size": "9"}}},  # type: ignore[operator]
        {"environment": HELD["environment"] | {"parameter_defaults": {"flavor": "m1.huge"}}},  # type: ignore[operator]
        {"files": {"file:///a": "y"}},
    ],
    ids=["template", "parameter", "default", "file"],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_stack_that_somebody_updates_meanwhile_is_not_ours(
    heat: FakeHeat, cloud: Cloud, method: str, theirs: dict[str, Any]
) -> None:
    heat.status, heat.theirs = "" if method == "POST" else "CREATE_COMPLETE", theirs
    heat.after[method] = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    with pytest.raises(Conflict, match="somebody else has updated stack example meanwhile"):
        deploy_stack(cloud, "example", SOURCE)


def test_hidden_parameters_that_heat_shows_as_stars_are_no_doing_of_others(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after["POST"] = GOOD
    heat.theirs = {"environment": {"parameters": {"size": "******"}, "parameter_defaults": {"flavor": "******"}}}
    assert deploy_stack(cloud, "example", SOURCE).outcome == "created"
    assert plan_stack(cloud, "example", SOURCE).action == "update"  # they may be others by now


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED"])
@pytest.mark.parametrize("late", [1, 3])
def test_an_update_counts_once_heat_has_begun_it(heat: FakeHeat, cloud: Cloud, status: str, late: int) -> None:
    heat.status, heat.late = status, late
    heat.after["PUT"] = ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_FAILED"]
    heat.resources = BROKEN
    with pytest.raises(StackFailed, match="No valid host was found"):
        deploy_stack(cloud, "example", SOURCE)
    assert heat.status == "UPDATE_FAILED"
    assert not heat.then


def test_an_update_that_ends_before_the_first_look_counts(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.after["PUT"] = "UPDATE_COMPLETE", ["UPDATE_COMPLETE"]
    assert deploy_stack(cloud, "example", SOURCE).outcome == "updated"


def test_an_update_that_heat_never_begins_is_no_success(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.late = "CREATE_COMPLETE", 10**6
    with pytest.raises(WaitExpired, match="last seen 'CREATE_COMPLETE, what was asked for has not begun'"):
        deploy_stack(cloud, "example", SOURCE)


def test_a_deletion_counts_once_heat_has_begun_it(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.late, heat.after["DELETE"] = "CREATE_COMPLETE", 3, ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert delete_stack(cloud, Stack("example", ID, "CREATE_COMPLETE")) == "deleted"
    assert heat.begun == ["DELETE"]


def test_a_stack_that_somebody_suspends_meanwhile_does_not_stand(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.after["PUT"] = "CREATE_COMPLETE", ["UPDATE_IN_PROGRESS", "SUSPEND_COMPLETE"]
    with pytest.raises(Conflict, match="is SUSPEND_COMPLETE") as refused:
        deploy_stack(cloud, "example", SOURCE)
    assert "openstack stack resume example" in refused.value.hint


@pytest.mark.parametrize("status", ["SUSPEND_COMPLETE", "SUSPEND_FAILED"])
def test_a_suspended_stack_is_refused(heat: FakeHeat, cloud: Cloud, status: str) -> None:
    heat.status, heat.held = status, HELD
    with pytest.raises(Conflict, match=f"is {status}") as refused:
        plan_stack(cloud, "example", SOURCE)
    assert "openstack stack resume example" in refused.value.hint


def test_a_heat_that_does_not_tell_environment_and_files_is_asked_for_an_update(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.held = "CREATE_COMPLETE", HELD
    heat.after["PUT"] = ["UPDATE_COMPLETE"]
    osp_8(heat)
    assert deploy_stack(cloud, "example", SOURCE).outcome == "updated"


def osp_8(heat: FakeHeat) -> None:
    for part in ("environment", "files"):
        heat.api.on("GET", "orchestration", f"/stacks/example/{ID}/{part}", say=fail(404, "no such route"))


def test_another_template_is_seen_there_too(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after["POST"], heat.theirs = GOOD, {"template": {"heat_template_version": "2015-04-30"}}
    osp_8(heat)
    with pytest.raises(Conflict, match="somebody else has updated"):
        deploy_stack(cloud, "example", SOURCE)


def test_a_removal_that_does_not_end_keeps_the_reason_and_is_not_begun_anew(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after["POST"], heat.resources = BAD, BROKEN
    heat.api.on("DELETE", "orchestration", f"/stacks/example/{ID}", say=fail(503, "try later"))
    with pytest.raises(StackFailed, match="No valid host was found") as failed:
        deploy_stack(cloud, "example", SOURCE, keep_failed=False)
    assert "openstack stack delete example" in failed.value.hint


@pytest.mark.parametrize("status", ["DELETE_FAILED", "SUSPEND_COMPLETE", "CREATE_IN_PROGRESS"])
def test_a_stack_that_will_be_removed_before_stands_in_no_plans_way(heat: FakeHeat, cloud: Cloud, status: str) -> None:
    heat.status = status
    plan = plan_recreation(cloud, SOURCE)
    assert (plan.action, plan.stack) == ("create", None)
    assert plan.lines
    (asked,) = heat.api.requests("POST", "/stacks/preview")
    assert asked.body["stack_name"] != "example"  # which is taken
