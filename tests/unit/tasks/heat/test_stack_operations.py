"""A stack is created, updated or left alone; an operation that is under way is taken up; a failure names its root."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import Conflict, RequestRejected
from blocks.remote.errors import Stopped, WaitExpired
from tasks.heat.failure import StackFailed
from tasks.heat.planning import plan_stack
from tasks.heat.source import StackSource
from tasks.heat.stack import TAG, Stack, find_stack, find_tagged
from tasks.heat.stack_operations import delete_stack, deploy_stack
from tasks.heat.templates import StackFiles
from tests.unit.cloud_api import FakeApi, fail, install, overcloud
from tests.unit.fakes import FakeClock
from tests.unit.tasks.heat_api import ID, FakeHeat, event, resource

TEMPLATE = {"heat_template_version": "2018-08-31", "resources": {"group": {"type": "OS::Heat::None"}}}
SOURCE = StackSource(
    StackFiles(TEMPLATE, {"parameter_defaults": {"flavor": "m1.nano"}}, {"file:///a": "x"}), {"size": 3}
)
HELD = {
    "template": TEMPLATE,
    "environment": {
        "parameters": {"size": "3"},
        "parameter_defaults": {"flavor": "m1.nano"},
        "resource_registry": {"resources": {}, "file:///a": "file:///a"},
        "event_sinks": [],
        "encrypted_param_names": [],
    },
    "files": {"file:///a": "x"},
}
GOOD = ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
BAD = ("CREATE_IN_PROGRESS", "CREATE_FAILED")
DOWN = "group/nested-id"
BROKEN = [
    resource("group", "CREATE_FAILED", kind="OS::Heat::AutoScalingGroup", nested=DOWN, reason="ResourceInError: group"),
    resource("server", "CREATE_FAILED", stack=DOWN, reason="Went to status ERROR due to No valid host was found"),
]


def changed(name: str) -> dict[str, str]:
    """A resource in a preview: as the engine has it, without links and with action and state apart."""
    return {
        "resource_name": name,
        "resource_type": "OS::Nova::Server",
        "resource_action": "CREATE",
        "resource_status": "COMPLETE",
    }


@pytest.fixture
def heat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeHeat:
    for module in ("blocks.remote.cloud_session", "tasks.heat.stack_operations"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: clock.now)
    return FakeHeat(install(monkeypatch, tmp_path))


@pytest.fixture
def cloud(heat: FakeHeat) -> Cloud:
    return overcloud()


# -- what would be done


def test_a_stack_that_is_not_there_is_created_and_the_plan_says_with_what(heat: FakeHeat, cloud: Cloud) -> None:
    plan = plan_stack(cloud, "example", SOURCE)
    assert plan.action == "create"
    assert plan.lines == [
        "added: group (OS::Nova::Server), inner (OS::Nova::Server), innermost (OS::Nova::Server)",
    ]
    assert heat.begun == []


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "CHECK_COMPLETE", "RESUME_COMPLETE"])
def test_a_stack_that_heat_holds_as_it_is_wanted_is_left_alone(heat: FakeHeat, cloud: Cloud, status: str) -> None:
    heat.status, heat.held = status, HELD
    assert plan_stack(cloud, "example", SOURCE).action == "nothing"
    assert deploy_stack(cloud, "example", SOURCE).outcome == "already"
    assert heat.begun == []


@pytest.mark.parametrize("status", ["UPDATE_FAILED", "CREATE_FAILED", "ROLLBACK_COMPLETE", "CHECK_FAILED"])
def test_a_stack_that_is_not_well_is_updated_though_its_template_is_the_same(
    heat: FakeHeat, cloud: Cloud, status: str
) -> None:
    heat.status, heat.held = status, HELD
    assert plan_stack(cloud, "example", SOURCE).action == "update"


@pytest.mark.parametrize(
    "held",
    [
        HELD | {"template": TEMPLATE | {"description": "other"}},
        HELD | {"files": {"file:///a": "y"}},
        HELD | {"environment": {"parameters": {"size": 4}, "parameter_defaults": {"flavor": "m1.nano"}}},
        HELD | {"environment": {"parameters": {"size": 3}, "parameter_defaults": {"flavor": "m1.tiny"}}},
        HELD | {"environment": HELD["environment"] | {"resource_registry": {"OS::Nova::Server": "file:///a"}}},  # type: ignore[operator]
    ],
    ids=["template", "file", "parameter", "default", "registry"],
)
def test_whatever_differs_is_an_update_and_the_plan_says_what_it_changes(
    heat: FakeHeat, cloud: Cloud, held: dict[str, object]
) -> None:
    heat.status, heat.held = "CREATE_COMPLETE", held
    heat.changes = {"unchanged": [changed("up")], "updated": [changed("group")], "deleted": [changed("old")]}
    plan = plan_stack(cloud, "example", SOURCE)
    assert plan.lines == ["updated: group (OS::Nova::Server)", "deleted: old (OS::Nova::Server)"]
    assert heat.begun == []  # a preview that updates would show here


NETWORKS = StackSource(
    StackFiles(
        TEMPLATE,
        {},
        {},
        (
            ("file:///1", {"parameter_merge_strategies": {"nets": "merge"}, "parameter_defaults": {"nets": ["a"]}}),
            ("file:///2", {"parameter_defaults": {"nets": ["b"]}}),
        ),
    )
)


@pytest.mark.parametrize(("held", "action"), [(["a", "b"], "nothing"), (["b"], "update")])
def test_what_heat_holds_is_compared_with_what_heat_merges(
    heat: FakeHeat, cloud: Cloud, held: list[str], action: str
) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.held = {"template": TEMPLATE, "environment": {"parameter_defaults": {"nets": held}}, "files": NETWORKS.files}
    assert plan_stack(cloud, "example", NETWORKS).action == action


def test_where_heat_does_not_tell_how_it_merges_it_is_asked_to_update(heat: FakeHeat, cloud: Cloud) -> None:
    heat.api.on("POST", "orchestration", "/validate", say={"Parameters": {}})
    heat.status = "CREATE_COMPLETE"
    heat.held = {
        "template": TEMPLATE,
        "environment": {"parameter_defaults": {"nets": ["a", "b"]}},
        "files": NETWORKS.files,
    }
    assert plan_stack(cloud, "example", NETWORKS).action == "update"


def test_an_update_that_heat_has_merged_is_no_change_by_others(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.after = "CREATE_COMPLETE", {"PUT": ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")}
    heat.theirs = {"environment": {"parameter_defaults": {"nets": ["a", "b"]}, "parameters": {}}}
    assert deploy_stack(cloud, "example", NETWORKS, approved=plan_stack(cloud, "example", NETWORKS).destroys).outcome
    heat.theirs = {"environment": {"parameter_defaults": {"nets": ["b"]}, "parameters": {}}}
    heat.held = HELD
    with pytest.raises(Conflict, match="somebody else has updated"):
        deploy_stack(cloud, "example", NETWORKS)


def test_an_operation_that_is_under_way_is_waited_for(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "UPDATE_IN_PROGRESS"
    plan = plan_stack(cloud, "example", SOURCE)
    assert (plan.action, plan.lines) == (
        "wait",
        ["example is UPDATE_IN_PROGRESS: wait for its end, then look again"],
    )


def test_a_stack_that_is_half_deleted_is_refused(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.reason = "DELETE_FAILED", "port in use"
    with pytest.raises(Conflict, match="half deleted: port in use"):
        deploy_stack(cloud, "example", SOURCE)
    assert heat.begun == []


def test_a_template_that_heat_will_not_have_is_refused_before_anything_is_made(heat: FakeHeat, cloud: Cloud) -> None:
    heat.api.on("POST", "orchestration", "/stacks/preview", say=fail(400, "The Resource Type (X) could not be found"))
    with pytest.raises(RequestRejected, match=r"The Resource Type \(X\) could not be found"):
        deploy_stack(cloud, "example", SOURCE)
    assert heat.begun == []


# -- created and updated


def test_creates_with_all_that_belongs_to_it_and_waits(heat: FakeHeat, cloud: Cloud, clock: FakeClock) -> None:
    heat.after["POST"] = GOOD
    deployed = deploy_stack(cloud, "example", SOURCE, timeout_min=7, tags=(TAG, "check-autoscaling"))
    assert (deployed.outcome, deployed.stack.status) == ("created", "CREATE_COMPLETE")
    assert heat.api.requests("POST", "/stacks")[0].body == {
        "stack_name": "example",
        "template": TEMPLATE,
        "files": {"file:///a": "x"},
        "environment": {"parameter_defaults": {"flavor": "m1.nano"}, "parameters": {"size": 3}},
        "timeout_mins": 7,
        "disable_rollback": True,
        "tags": "openstack-runbooks,check-autoscaling",
    }
    assert clock.now < 1001.0  # the first looks come soon


def test_updates_what_differs(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.after["PUT"] = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    assert deploy_stack(cloud, "example", SOURCE).outcome == "updated"
    assert heat.begun == ["PUT"]


def test_tells_each_event_once_as_it_happens_and_none_of_earlier_operations(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.events = [event(0, "example", "CREATE_IN_PROGRESS"), event(1, "example", "CREATE_COMPLETE")]
    heat.after["PUT"] = ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    heat.growing = [[resource("group", nested="example-group-x/2")], []]
    lines: list[str] = []

    def more(line: str) -> None:
        lines.append(line)
        if len(lines) == 1:
            heat.events.append(event(3, "server", "UPDATE_FAILED", "no host", stack="example-group-x/2"))

    deploy_stack(cloud, "example", SOURCE, on_line=more)
    assert lines == [
        "12:00:02 example UPDATE_IN_PROGRESS: Stack UPDATE started",
        "12:00:03 group / server UPDATE_FAILED: no host",
    ]


def test_progress_grows_to_a_hundred_and_never_shrinks(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after["POST"] = ["CREATE_IN_PROGRESS"] * 7 + ["CREATE_COMPLETE"]
    done, doing = resource("a"), resource("b", "CREATE_IN_PROGRESS")
    heat.growing = [[done, doing], [done, doing, doing, doing], [done, done, done, doing], [done, done]]
    seen: list[float] = []
    deploy_stack(cloud, "example", SOURCE, on_progress=seen.append)
    assert seen == [50.0, 75.0, 99.0, 100.0]


def test_asks_no_more_than_once_a_second_while_it_waits(heat: FakeHeat, cloud: Cloud, clock: FakeClock) -> None:
    heat.after["POST"] = ["CREATE_IN_PROGRESS"] * 14 + ["CREATE_COMPLETE"]
    before: list[int] = []
    deploy_stack(cloud, "example", SOURCE, on_line=lambda _: before.append(len(heat.api.asked)))
    assert (len(heat.api.asked) - before[0]) / (clock.now - 1000) <= 1.0


def test_a_silent_heat_is_given_up(heat: FakeHeat, cloud: Cloud, clock: FakeClock) -> None:
    heat.after["POST"] = ["CREATE_IN_PROGRESS"]
    heat.growing = [[resource("a", "CREATE_IN_PROGRESS")]]
    with pytest.raises(
        WaitExpired, match="stack example never became 'complete or failed' within 11:30 min"
    ) as expired:
        deploy_stack(cloud, "example", SOURCE, timeout_min=10)
    assert "attaches" in expired.value.hint


# -- taken up


def test_a_creation_that_a_killed_run_began_is_attached_to(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then, heat.held = "CREATE_IN_PROGRESS", ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"], HELD
    heat.events = [event(0, "example", "CREATE_IN_PROGRESS"), event(1, "server", "CREATE_IN_PROGRESS")]
    lines: list[str] = []
    assert deploy_stack(cloud, "example", SOURCE, on_line=lines.append).outcome == "attached"
    assert heat.begun == []
    assert lines == [
        "attached: example is CREATE_IN_PROGRESS",
        "12:00:00 example CREATE_IN_PROGRESS",
        "12:00:01 example / server CREATE_IN_PROGRESS",
    ]


def test_events_before_the_operation_that_is_attached_to_are_not_told(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then, heat.held = "UPDATE_IN_PROGRESS", ["UPDATE_COMPLETE"], HELD
    heat.events = [
        event(0, "example", "CREATE_IN_PROGRESS"),
        event(1, "example", "CREATE_COMPLETE"),
        event(2, "example", "UPDATE_IN_PROGRESS"),
    ]
    lines: list[str] = []
    deploy_stack(cloud, "example", SOURCE, on_line=lines.append)
    assert lines == ["attached: example is UPDATE_IN_PROGRESS", "12:00:02 example UPDATE_IN_PROGRESS"]


def test_after_another_templates_creation_it_is_updated(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then = "CREATE_IN_PROGRESS", ["CREATE_COMPLETE"]
    heat.after["PUT"] = ["UPDATE_COMPLETE"]
    assert deploy_stack(cloud, "example", SOURCE).outcome == "updated"


def test_after_a_deletion_it_is_created(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then = "DELETE_IN_PROGRESS", ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    heat.after["POST"] = GOOD
    assert deploy_stack(cloud, "example", SOURCE).outcome == "created"
    assert heat.begun == ["POST"]


def test_an_attached_creation_that_fails_is_told_and_not_repeated(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then, heat.resources = "CREATE_IN_PROGRESS", list(BAD), BROKEN
    with pytest.raises(StackFailed):
        deploy_stack(cloud, "example", SOURCE)
    assert heat.begun == []


def test_stops_when_the_cloud_is_closed_and_heat_goes_on(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after["POST"] = ["CREATE_IN_PROGRESS"]
    with pytest.raises(Stopped):
        deploy_stack(cloud, "example", SOURCE, on_line=lambda _: cloud.close())
    assert heat.begun == ["POST"]


# -- failed


def test_a_failure_names_the_deepest_resource_and_the_stack_is_kept(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after["POST"], heat.resources = BAD, BROKEN
    with pytest.raises(StackFailed) as failed:
        deploy_stack(cloud, "example", SOURCE)
    assert failed.value.message == (
        "overcloud: stack example is CREATE_FAILED: group / server (OS::Nova::Server): Went to status ERROR due to No valid "
        "host was found"
    )
    assert "kept" in failed.value.hint
    assert heat.begun == ["POST"]


def test_a_failed_creation_is_removed_if_asked(heat: FakeHeat, cloud: Cloud) -> None:
    heat.after = {"POST": BAD, "DELETE": ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]}
    heat.resources = BROKEN
    lines: list[str] = []
    with pytest.raises(StackFailed, match="No valid host was found") as failed:
        deploy_stack(cloud, "example", SOURCE, keep_failed=False, on_line=lines.append)
    assert "removed" in failed.value.hint
    assert heat.begun == ["POST", "DELETE"]
    assert any(line.startswith("example failed and is removed: group / server") for line in lines)


def test_a_failed_update_never_removes_the_stack(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.resources = "CREATE_COMPLETE", BROKEN
    heat.after["PUT"] = ["UPDATE_FAILED"]
    with pytest.raises(StackFailed):
        deploy_stack(cloud, "example", SOURCE, keep_failed=False)
    assert heat.begun == ["PUT"]


# -- deleted


def stack(status: str = "CREATE_COMPLETE") -> Stack:
    return Stack("example", ID, status)


def test_deletes_and_waits_until_it_is_gone(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.after["DELETE"] = ["DELETE_IN_PROGRESS"] * 6 + ["DELETE_COMPLETE"]
    heat.growing = [[resource("a"), resource("b"), resource("c"), resource("d")], [resource("a")]]
    seen: list[float] = []
    assert delete_stack(cloud, stack(), on_progress=seen.append) == "deleted"
    assert seen == [0.0, 75.0, 100.0]


def test_a_deleted_stack_that_still_has_its_name_is_waited_for(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.closing = "DELETE_COMPLETE", 2
    heat.after["POST"] = GOOD
    assert plan_stack(cloud, "example", SOURCE).action == "wait"
    assert deploy_stack(cloud, "example", SOURCE).outcome == "created"


@pytest.mark.parametrize("status", ["", "DELETE_COMPLETE"])
def test_what_is_gone_is_not_deleted_again(heat: FakeHeat, cloud: Cloud, status: str) -> None:
    heat.status = status
    assert delete_stack(cloud, stack()) == "already"
    assert heat.begun == []


def test_a_deletion_that_is_under_way_is_attached_to(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.then = "DELETE_IN_PROGRESS", ["DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", ""]
    assert delete_stack(cloud, stack()) == "deleted"
    assert heat.begun == []


def test_a_deletion_that_failed_is_tried_once_more(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.after["DELETE"] = ["DELETE_FAILED"]
    lines: list[str] = []

    def mend(line: str) -> None:
        lines.append(line)
        heat.after["DELETE"] = ["DELETE_COMPLETE"]

    assert delete_stack(cloud, stack(), on_line=lambda line: mend(line) if "FAILED" in line else None) == "deleted"
    assert lines == ["example is DELETE_FAILED: Stack says so"]
    assert heat.begun == ["DELETE", "DELETE"]


def test_a_deletion_that_fails_twice_names_what_stands_in_its_way(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status = "CREATE_COMPLETE"
    heat.after["DELETE"] = ["DELETE_FAILED"]
    heat.resources = [resource("port", "DELETE_FAILED", kind="OS::Neutron::Port", reason="in use")]
    with pytest.raises(StackFailed, match=r"port \(OS::Neutron::Port\): in use"):
        delete_stack(cloud, stack())
    assert heat.begun == ["DELETE", "DELETE"]


# -- found


def test_finds_a_stack_by_its_whole_name(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.tags = "CREATE_COMPLETE", ["a", "b"]
    found = find_stack(cloud, "example")
    assert found == Stack("example", ID, "CREATE_COMPLETE", "Stack says so", ("a", "b"))
    assert find_stack(cloud, "exam") is None


def test_finds_what_a_crashed_run_left_by_its_tag(heat: FakeHeat, cloud: Cloud) -> None:
    heat.status, heat.tags = "CREATE_COMPLETE", [TAG]
    assert [stack.name for stack in find_tagged(cloud)] == ["example"]
    assert find_tagged(cloud, "another") == []


def test_a_listing_without_tags_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api: FakeApi = install(monkeypatch, tmp_path)
    body = {
        "id": ID,
        "stack_name": "example",
        "stack_status": "CREATE_COMPLETE",
        "stack_status_reason": None,
        "tags": None,
    }
    api.on("GET", "orchestration", "/stacks", say={"stacks": [body]})
    assert find_stack(overcloud(), "example") == Stack("example", ID, "CREATE_COMPLETE")
