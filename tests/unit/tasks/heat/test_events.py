"""Stacks, resources and events are read as Heat writes them, and told in words that lead to the resource."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.remote import secrets
from tasks.heat.events import last_operation, parse_event, percent_complete
from tasks.heat.stack import Resource, Stack, parse_resource, parse_stack, parse_time, resource_path
from tests.unit.tasks.heat_api import BASE, ID, event, resource

STACK = Stack("example", ID, "CREATE_COMPLETE")


def body(status: str, **more: Any) -> dict[str, Any]:
    return {"stack_name": "example", "id": ID, "stack_status": status, "stack_status_reason": None, **more}


@pytest.mark.parametrize(
    ("status", "busy", "complete", "gone"),
    [
        ("CREATE_IN_PROGRESS", True, False, False),
        ("UPDATE_COMPLETE", False, True, False),
        ("ROLLBACK_COMPLETE", False, False, False),
        ("ROLLBACK_IN_PROGRESS", True, False, False),
        ("UPDATE_FAILED", False, False, False),
        ("DELETE_COMPLETE", True, False, False),
    ],
)
def test_what_a_state_means(status: str, busy: bool, complete: bool, gone: bool) -> None:
    stack = parse_stack(body(status))
    assert (stack.busy, stack.complete, stack.gone) == (busy, complete, gone)


def test_a_stack_with_a_time_of_deletion_is_gone() -> None:
    assert parse_stack(body("DELETE_COMPLETE", deletion_time="2026-01-01T12:00:00Z")).gone


@pytest.mark.parametrize("tags", [["a", "b"], "a,b"])
def test_tags_come_as_a_list_or_as_text(tags: object) -> None:
    assert parse_stack(body("CREATE_COMPLETE", tags=tags)).tags == ("a", "b")


def test_a_resource_knows_its_stack_and_the_one_within_it() -> None:
    read = parse_resource(resource("web", "CREATE_FAILED", kind="a.yaml", nested="example-web-x/77", reason="bad"))
    assert read == Resource("web", "a.yaml", "CREATE_FAILED", "bad", "77", f"example/{ID}", "example-web-x/77")
    assert read.failed


def test_an_escaped_link_is_read() -> None:
    quoted = resource("a") | {"links": [{"rel": "stack", "href": f"{BASE}/my%2Dstack/1"}]}
    assert parse_resource(quoted).stack == "my-stack/1"


def test_a_resource_without_links_belongs_nowhere() -> None:
    assert parse_resource(resource("a") | {"links": None}).stack == ""


@pytest.mark.parametrize(
    "text", ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00:00.000"]
)
def test_a_time_is_utc_whether_it_says_so_or_not(text: str) -> None:
    assert parse_time(text) == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        parse_time("yesterday")


@pytest.mark.parametrize(
    ("raw", "places", "line"),
    [
        (event(3, "example", "CREATE_IN_PROGRESS"), {}, "12:00:03 example CREATE_IN_PROGRESS"),
        (event(3, "web", "CREATE_FAILED", "no host"), {}, "12:00:03 example / web CREATE_FAILED: no host"),
        (event(3, "s", "CREATE_COMPLETE", "", "n-x/2"), {"n-x/2": "web / x"}, "12:00:03 web / x / s CREATE_COMPLETE"),
        (
            event(3, "n-x", "CREATE_COMPLETE", "done", "n-x/2"),
            {"n-x/2": "web / x"},
            "12:00:03 web / x CREATE_COMPLETE: done",
        ),
        (event(3, "s", "CREATE_COMPLETE", "", "n-x/2"), {}, "12:00:03 n-x / s CREATE_COMPLETE"),
    ],
)
def test_an_event_is_told_by_the_way_to_its_resource(raw: dict[str, Any], places: dict[str, str], line: str) -> None:
    assert parse_event(raw).line(places) == line


def test_a_secret_in_an_event_is_masked() -> None:
    secrets.register("Tr0ub4dor&3")
    assert "Tr0ub4dor" not in parse_event(event(1, "a", "CREATE_FAILED", "bad Tr0ub4dor&3")).line({})


def test_the_last_operation_begins_with_the_stacks_own_event() -> None:
    raw = [
        event(0, "example", "CREATE_IN_PROGRESS"),
        event(1, "example", "CREATE_COMPLETE"),
        event(2, "example", "UPDATE_IN_PROGRESS"),
        event(3, "example", "CREATE_IN_PROGRESS", stack="example/another-id"),
        event(4, "server", "UPDATE_IN_PROGRESS"),
    ]
    events = [parse_event(body) for body in raw]
    assert [event.id for event in last_operation(events, STACK)] == ["event-2", "event-3", "event-4"]
    assert last_operation(events[3:], STACK) == events[3:]
    assert last_operation([], STACK) == []


def resources(*statuses: str) -> list[Resource]:
    return [parse_resource(resource(str(number), status)) for number, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "percent"),
    [
        ((), 0.0),
        (("INIT_COMPLETE",), 0.0),
        (("INIT_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_COMPLETE"), 50.0),
        (("CREATE_FAILED", "CREATE_COMPLETE"), 50.0),
    ],
)
def test_progress_counts_what_is_complete_and_not_what_has_not_begun(statuses: tuple[str, ...], percent: float) -> None:
    assert percent_complete(resources(*statuses)) == percent


def test_progress_of_a_deletion_counts_what_is_gone() -> None:
    assert percent_complete(resources("DELETE_IN_PROGRESS"), count_before=4) == 75.0
    assert percent_complete([], count_before=4) == 100.0


def test_the_way_to_a_resource_names_all_above_it() -> None:
    listed = [
        parse_resource(resource("web", nested="w/1")),
        parse_resource(resource("x", stack="w/1", nested="x/2")),
        parse_resource(resource("server", stack="x/2")),
    ]
    assert [resource_path(resource, listed) for resource in listed] == ["web", "web / x", "web / x / server"]
