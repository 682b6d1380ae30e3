"""A group is read with its servers, whatever stands between them; what moved it is told from what happened beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks.remote.cloud_errors import NotFound
from tasks.autoscaling.group.group import (
    Activity,
    Group,
    Member,
    Server,
    parse_activity,
    parse_server,
    read_activity,
    read_group,
    read_group_alarms,
    read_servers,
    read_vcpus,
    scaling_events,
)
from tasks.heat.events import read_events
from tasks.heat.stack import Stack, parse_resource
from tests.unit.cloud_api import FakeApi, install, overcloud
from tests.unit.tasks.heat_api import ID, FakeHeat, event, resource

STACK = Stack("example", ID, "CREATE_COMPLETE")
GROUP, ONE, TWO = "example-group-a/g1", "example-group-a-one/o1", "example-group-a-two/t1"
RESOURCES = [
    resource("group", kind="OS::Heat::AutoScalingGroup", nested=GROUP),
    resource("up", kind="OS::Heat::ScalingPolicy", physical_id="p"),
    resource("cpu_alarm_high", kind="OS::Aodh::GnocchiAggregationByResourcesAlarm", physical_id="a1"),
    resource("old_alarm", kind="OS::Ceilometer::Alarm", physical_id="a2"),
    resource("unmade_alarm", kind="OS::Aodh::EventAlarm", status="CREATE_IN_PROGRESS"),
    resource("one", kind="OS::Nova::Server::Member", stack=GROUP, nested=ONE),
    resource("port", kind="OS::Neutron::Port", stack=ONE, physical_id="port-1"),
    resource("server", stack=ONE, physical_id="s1"),
    resource("two", "CREATE_IN_PROGRESS", kind="OS::Nova::Server::Member", stack=GROUP, nested=TWO),
    resource("server", "CREATE_IN_PROGRESS", stack=TWO),
    resource("three", "DELETE_IN_PROGRESS", stack=GROUP, physical_id="s3"),
    resource("bystander", physical_id="s9"),
]


def server(number: int, status: str = "ACTIVE", **more: Any) -> dict[str, Any]:
    address = {"OS-EXT-IPS:type": "fixed", "version": 4, "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"}
    addresses = [address | {"addr": f"10.0.0.{number}"}]
    return {"id": f"s{number}", "name": f"ex-{number}", "status": status, "addresses": {"private": addresses}, **more}


def floating(number: int) -> dict[str, Any]:
    both = [*server(number)["addresses"]["private"], {"addr": "192.0.2.7", "OS-EXT-IPS:type": "floating", "version": 4}]
    return server(number) | {"addresses": {"private": both}}


@pytest.fixture
def heat(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHeat:
    heat = FakeHeat(install(monkeypatch, tmp_path), "CREATE_COMPLETE", resources=RESOURCES)
    heat.api.on("GET", "compute", "/servers/detail", say={"servers": [floating(1), server(3), server(9)]})
    return heat


def test_a_group_has_its_members_with_their_servers(heat: FakeHeat) -> None:
    group = read_group(overcloud(), STACK, "group")
    assert group == Group(
        "group",
        GROUP,
        (
            Member("one", "CREATE_COMPLETE", Server("s1", "ex-1", "ACTIVE", ("10.0.0.1",), ("192.0.2.7",))),
            Member("two", "CREATE_IN_PROGRESS", None),
            Member("three", "DELETE_IN_PROGRESS", Server("s3", "ex-3", "ACTIVE", ("10.0.0.3",), ())),
        ),
    )


def test_its_size_counts_those_being_made_and_not_those_being_removed(heat: FakeHeat) -> None:
    group = read_group(overcloud(), STACK, "group")
    assert group.size == 2
    assert [member.ready for member in group.members] == [True, False, False]


def test_it_is_read_in_two_calls(heat: FakeHeat) -> None:
    cloud = overcloud()
    read_group(cloud, STACK, "group")
    before = cloud.calls.total
    read_group(cloud, STACK, "group")
    assert cloud.calls.total - before == 2


def test_a_group_without_members_asks_for_no_servers(heat: FakeHeat) -> None:
    heat.resources = RESOURCES[:1]
    assert read_group(overcloud(), STACK, "group").members == ()
    assert heat.api.requests("GET", "/servers/detail") == []


def test_a_group_that_heat_has_not_begun_has_no_members(heat: FakeHeat) -> None:
    heat.resources = [resource("group", "INIT_COMPLETE", kind="OS::Heat::AutoScalingGroup"), resource("a", stack="")]
    assert read_group(overcloud(), STACK, "group").size == 0


@pytest.mark.parametrize("name", ["grupp", "one"])
def test_a_group_that_the_stack_does_not_have_is_answered_with_what_it_has(heat: FakeHeat, name: str) -> None:
    with pytest.raises(
        NotFound, match=rf"no group '{name}'; its resources are group \(OS::Heat::AutoScalingGroup\), up"
    ):
        read_group(overcloud(), STACK, name)


@pytest.mark.parametrize(
    ("status", "ready"), [("ACTIVE", True), ("BUILD", False), ("ERROR", False), ("SHUTOFF", False)]
)
def test_a_member_is_ready_once_nova_runs_it(status: str, ready: bool) -> None:
    assert Member("one", "UPDATE_COMPLETE", parse_server(server(1, status))).ready is ready


def test_vcpus_are_told_by_the_listing_or_by_the_flavor_that_it_names(heat: FakeHeat) -> None:
    heat.api.on("GET", "compute", "/flavors/7", say={"flavor": {"id": "7", "name": "m1.small", "vcpus": 2}})
    told = parse_server(server(1, flavor={"original_name": "m1.small", "vcpus": 4}))
    named = parse_server(server(2, flavor={"id": "7", "links": []}))
    assert read_vcpus(overcloud(), [told]) == {4}
    assert heat.api.requests("GET", "/flavors/.*") == []
    assert read_vcpus(overcloud(), [told, named, named]) == {2, 4}
    assert len(heat.api.requests("GET", "/flavors/7")) == 1
    assert read_vcpus(overcloud(), []) == set()


def test_a_server_is_reached_at_its_floating_address_if_it_has_one() -> None:
    assert parse_server(floating(1)).address == "192.0.2.7"
    assert parse_server(server(2)).address == "10.0.0.2"
    assert parse_server(server(2) | {"addresses": {}}).address == ""


def test_a_server_in_error_says_why() -> None:
    assert (
        parse_server(server(1, "ERROR", fault={"message": "No valid host was found."})).fault
        == "No valid host was found."
    )


def test_servers_that_nova_no_longer_has_are_left_out(heat: FakeHeat) -> None:
    assert set(read_servers(overcloud(), ["s1", "gone"])) == {"s1"}


def test_alarms_are_found_by_the_resources_that_made_them(heat: FakeHeat) -> None:
    alarm = {
        "alarm_id": "a1",
        "name": "example-cpu_alarm_high-x",
        "type": "event",
        "state": "ok",
        "state_timestamp": "2026-01-01T12:00:00",
        "enabled": True,
    }
    heat.api.on(
        "GET", "alarming", "/v2/alarms", say=(200, [alarm, alarm | {"alarm_id": "a2"}, alarm | {"alarm_id": "z"}])
    )
    found = read_group_alarms(overcloud(), STACK)
    assert {name: alarm.id for name, alarm in found.items()} == {"cpu_alarm_high": "a1", "old_alarm": "a2"}


def test_what_moved_the_group_is_told_from_what_happened_beside_it(heat: FakeHeat) -> None:
    reason = "alarm state changed from ok to alarm (Transition to alarm due to 2 samples outside threshold)"
    heat.events = [
        event(0, "example", "CREATE_COMPLETE"),
        event(1, "up", "SIGNAL_COMPLETE", reason),
        event(2, "example-group-a", "UPDATE_IN_PROGRESS", stack=GROUP),
        event(3, "two", "CREATE_IN_PROGRESS", stack=GROUP),
        event(4, "server", "CREATE_COMPLETE", stack=TWO),
        event(5, "two", "CREATE_COMPLETE", stack=GROUP),
        event(6, "down", "SIGNAL_COMPLETE", "No signal details provided"),
        event(7, "one", "DELETE_COMPLETE", stack=GROUP),
        event(8, "two", "CREATE_FAILED", "no host", stack=GROUP),
        event(9, "example-group-a", "UPDATE_FAILED", stack=GROUP),
    ]
    group = Group("group", GROUP, ())
    moved = list(scaling_events(read_events(overcloud(), STACK), group))
    assert [(member.at.second, member.kind, member.name, member.by_alarm) for member in moved] == [
        (1, "signal", "up", True),
        (5, "added", "two", False),
        (6, "signal", "down", False),
        (7, "removed", "one", False),
        (8, "failed", "two", False),
    ]
    assert [event.name for event in scaling_events(read_events(overcloud(), STACK, "event-6"), group)] == [
        "one",
        "two",
    ]


def test_the_groups_own_note_says_why_it_would_do_nothing(heat: FakeHeat) -> None:
    note = {"cooldown_end": {"2026-11-21T16:26:19.932954": "change_in_capacity : 1"}, "scaling_in_progress": True}
    path = f"/stacks/example/{ID}/resources/group/metadata"
    heat.api.on("GET", "orchestration", path, say={"metadata": note})
    ends = datetime(2026, 11, 21, 16, 26, 19, 932954, tzinfo=UTC)
    assert read_activity(overcloud(), STACK, "group") == Activity(True, ends, "change_in_capacity : 1")


@pytest.mark.parametrize("note", [{}, {"scaling_in_progress": False}, {"cooldown_end": {}}])
def test_a_group_that_never_scaled_is_free(note: dict[str, Any]) -> None:
    assert parse_activity(note) == Activity(False, None, "")


def test_resources_that_have_just_been_read_are_not_read_again(heat: FakeHeat) -> None:
    listed = [parse_resource(resource) for resource in RESOURCES]
    api: FakeApi = heat.api
    read_group(overcloud(), STACK, "group", listed)
    assert api.requests("GET", ".*/resources") == []
