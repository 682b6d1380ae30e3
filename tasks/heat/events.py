"""What happens within a stack, nested ones included: its events as they come, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.secrets import mask
from tasks.heat.stack import DEPTH, Resource, Stack, linked_stack, parse_time, read_resources, resource_path


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource, or to the stack itself.

    Attributes:
        id: Its UUID.
        at: When, to the second.
        stack: Name of the stack.
        stack_id: UUID of the stack.
        resource: Name of the resource; the stack's own name for the stack itself.
        status: Action and state.
        reason: Heat's words.
        physical_id: What the resource is in the cloud; empty until it is made.
    """

    id: str
    at: datetime
    stack: str
    stack_id: str
    resource: str
    status: str
    reason: str
    physical_id: str = ""

    def line(self, stack_paths: Mapping[str, str]) -> str:
        """The event for a log, secrets masked.

        Args:
            stack_paths: `name/id` of a nested stack → the names down to it; one that is not among them keeps its own name.
        """
        stack_path = stack_paths.get(f"{self.stack}/{self.stack_id}", self.stack)
        what = stack_path if self.resource == self.stack else f"{stack_path} / {self.resource}"
        why = "" if self.reason in {"", "state changed"} else f": {self.reason}"
        return mask(f"{self.at:%H:%M:%S} {what} {self.status}{why}")


def parse_event(body: Mapping[str, Any]) -> Event:
    """Read one event of a listing."""
    stack, _, stack_id = linked_stack(body, "stack").partition("/")
    return Event(
        id=body["id"],
        at=parse_time(body["event_time"]),
        stack=stack,
        stack_id=stack_id,
        resource=body["resource_name"],
        status=body["resource_status"],
        reason=body.get("resource_status_reason") or "",
        physical_id=body.get("physical_resource_id") or "",
    )


def read_events(cloud: Cloud, stack: Stack, marker: str = "") -> list[Event]:
    """Read the events of a stack and of its nested stacks, the oldest first.

    Args:
        cloud: Where.
        stack: The stack.
        marker: Id of the last event that is known; only later ones are returned.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    what = f"list the events of stack {stack.name}"
    query: dict[str, str | int] = {"nested_depth": DEPTH, "sort_dir": "asc"}
    if marker:
        query["marker"] = marker
    body = cloud.get(what, "orchestration", f"{stack.path}/events", **query)
    return [parse_event(event) for event in body["events"]]


def newest_event(cloud: Cloud, stack: Stack) -> str:
    """Return the id of a stack's newest event; empty where there is none.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    what = f"read the newest event of stack {stack.name}"
    query: dict[str, str | int] = {"nested_depth": DEPTH, "sort_dir": "desc", "limit": 1}
    body = cloud.get(what, "orchestration", f"{stack.path}/events", **query)
    return str(body["events"][0]["id"]) if body["events"] else ""


def last_operation(events: Sequence[Event], stack: Stack) -> list[Event]:
    """Return the events since the stack's latest operation began."""
    starts = [
        number
        for number, event in enumerate(events)
        if event.stack_id == stack.id and event.resource == stack.name and event.status.endswith("_IN_PROGRESS")
    ]
    return list(events[starts[-1] :]) if starts else list(events)


def percent_complete(resources: Iterable[Resource], count_before: int = 0) -> float:
    """Say how far an operation is.

    Args:
        resources: All there are now.
        count_before: How many there were when a deletion began; 0 for a creation or an update.

    Returns:
        Percent: of the resources there are, those that are complete (`INIT_COMPLETE` is Heat's word for one that has not
        begun); of those there were, those that are gone.
    """
    listed = list(resources)
    if count_before:
        return 100.0 * (1 - min(len(listed), count_before) / count_before)
    complete = sum(resource.status.endswith("_COMPLETE") and resource.status != "INIT_COMPLETE" for resource in listed)
    return 100.0 * complete / len(listed) if listed else 0.0


@dataclass
class EventFollower:
    """Tells what happens in a stack, a look at a time.

    Attributes:
        cloud: Where.
        stack: The stack.
        on_line: Gets each event once, as a line without secrets.
        on_progress: Gets the percentage when it has grown; it never shrinks, though nested stacks bring new resources.
        marker: Id of the last event that has been told.
    """

    cloud: Cloud
    stack: Stack
    on_line: Callable[[str], None]
    on_progress: Callable[[float], None]
    marker: str = ""
    _reported_percent: float = field(default=-1.0, init=False)
    _largest_count: int = field(default=0, init=False)
    _stack_paths: dict[str, str] = field(default_factory=dict, init=False)

    def read_new(self, deleting: bool = False) -> None:
        """Tell what is new."""
        events = read_events(self.cloud, self.stack, self.marker)
        resources = read_resources(self.cloud, self.stack)
        # Kept from look to look: what is deleted is no longer listed, and its events still come.
        self._stack_paths |= {
            resource.nested: resource_path(resource, resources) for resource in resources if resource.nested
        }
        self._largest_count = max(self._largest_count, len(resources))
        for event in events:
            self.marker = event.id
            self.on_line(event.line(self._stack_paths))
        self.report_progress(min(99.0, percent_complete(resources, self._largest_count if deleting else 0)))

    def report_progress(self, percent: float) -> None:
        """Pass on a percentage that is larger than the last."""
        if percent > self._reported_percent:
            self._reported_percent = percent
            self.on_progress(round(percent, 1))
