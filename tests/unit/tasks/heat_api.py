"""Heat for unit tests: stacks that go through given states, one a look, with resources and events as the API writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.heat.stack import TAG
from tests.unit.cloud_api import PROJECT, Answer, Asked, FakeApi, fail

ID = "6fca513c-25a1-4849-b7ab-909e37f52eca"
BASE = f"http://heat.test:8004/v1/{PROJECT}/stacks"


def resource(
    name: str,
    status: str = "CREATE_COMPLETE",
    *,
    kind: str = "OS::Nova::Server",
    stack: str = f"example/{ID}",
    nested: str = "",
    physical_id: str = "",
    reason: str = "state changed",
) -> dict[str, Any]:
    """A resource as `GET …/resources?nested_depth=5` lists it."""
    links = [{"rel": "self", "href": f"{BASE}/{stack}/resources/{name}"}, {"rel": "stack", "href": f"{BASE}/{stack}"}]
    return {
        "resource_name": name,
        "logical_resource_id": name,
        "resource_type": kind,
        "resource_status": status,
        "resource_status_reason": reason,
        "physical_resource_id": physical_id or nested.rpartition("/")[2],
        "updated_time": "2026-01-01T00:00:00Z",
        "required_by": [],
        "links": [*links, *([{"rel": "nested", "href": f"{BASE}/{nested}"}] if nested else [])],
    }


def event(
    number: int, name: str, status: str, reason: str = "state changed", stack: str = f"example/{ID}"
) -> dict[str, Any]:
    """An event as `GET …/events?nested_depth=5` lists it."""
    return {
        "id": f"event-{number}",
        "event_time": f"2026-01-01T12:{number // 60:02d}:{number % 60:02d}Z",
        "resource_name": name,
        "logical_resource_id": name,
        "physical_resource_id": "p",
        "resource_status": status,
        "resource_status_reason": reason,
        "links": [{"rel": "stack", "href": f"{BASE}/{stack}"}],
    }


def merge(asked: Asked) -> Answer:
    """What Heat makes of environment files when it validates, as far as the tests go (heat/common/environment_util.py)."""
    body = asked.body
    merged: dict[str, Any] = {"parameters": dict(body.get("parameters") or {}), "parameter_defaults": {}}
    strategies: dict[str, str] = {}
    for address in body.get("environment_files") or ():
        environment = json.loads(body["files"][address])
        strategies |= environment.pop("parameter_merge_strategies", {})
        for section, new in environment.items():
            if isinstance(new, list):
                merged[section] = merged.get(section, []) + new
                continue
            old = merged.setdefault(section, {})
            for key, value in new.items():
                old[key] = [*old.get(key, []), *value] if strategies.get(key) == "merge" else value
    return {"Description": "", "Parameters": {}, "Environment": merged}


@dataclass
class FakeHeat:
    """One stack called `example`.

    Attributes:
        api: The cloud.
        status: What the stack is in; empty where there is none.
        then: What it is in at the looks to come.
        after: POST, PUT or DELETE → what it goes through after that.
        resources: All of it, nested ones too; or one list a look, the last of which stays.
        events: All of it, the oldest first.
        held: `template`, `environment`, `files` that Heat tells of it.
        changes: What its preview says.
        tags: Its tags; a runbook has made it unless they say otherwise.
        theirs: What of `held` somebody else changes as soon as it is changed.
        late: Looks that Heat lets pass before it begins what it was asked, as that of OSP 8 may.
        closing: Looks for which it keeps its name though it is deleted.
    """

    api: FakeApi
    status: str = ""
    reason: str = "Stack says so"
    then: list[str] = field(default_factory=list)
    after: dict[str, Sequence[str]] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    growing: list[list[dict[str, Any]]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=lambda: {"template": {}, "environment": {}, "files": {}})
    changes: dict[str, Any] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=lambda: [TAG])
    theirs: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    closing: int = 0
    _start: Callable[[], None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        on = self.api.on
        path = f"/stacks/example/{ID}"
        on("GET", "orchestration", "/stacks", say=self._list)
        on("POST", "orchestration", "/stacks", say=lambda asked: self._begin("POST", asked))
        on("POST", "orchestration", "/validate", say=merge)
        on("POST", "orchestration", "/stacks/preview", say=lambda _: self._preview())
        on("PUT", "orchestration", path, say=lambda asked: self._begin("PUT", asked))
        on("PUT", "orchestration", f"{path}/preview", say=lambda _: {"resource_changes": self.changes})
        on("DELETE", "orchestration", path, say=lambda asked: self._begin("DELETE", asked))
        on("GET", "orchestration", path, say=lambda _: self._show())
        on("GET", "orchestration", f"{path}/resources", say=lambda _: self._resources())
        on("GET", "orchestration", f"{path}/events", say=lambda asked: {"events": self._events(asked)})
        for part in ("template", "environment", "files"):
            on("GET", "orchestration", f"{path}/{part}", say=lambda _, part=part: self.held[part])

    @property
    def begun(self) -> list[str]:
        """The methods of the changes that were asked for."""
        paths = ("/stacks", f"/stacks/example/{ID}")
        return [request.method for request in self.api.asked if request.method != "GET" and request.path in paths]

    def _body(self) -> dict[str, Any]:
        return {
            "id": ID,
            "stack_name": "example",
            "stack_status": self.status,
            "stack_status_reason": self.reason,
            "deletion_time": "2026-01-01T13:00:00Z" if self.status == "DELETE_COMPLETE" and not self.closing else None,
            "tags": self.tags,
        }

    def _list(self, asked: Asked) -> Answer:
        there = self.status not in {"", "DELETE_COMPLETE"} or bool(self.closing)
        wanted = asked.query.get("name", "example") == "example"
        tagged = asked.query.get("tags") in (None, *self.tags)
        return {"stacks": [self._body()] if there and wanted and tagged else []}

    def _show(self) -> Answer:
        if self._start is not None:
            body, self.late = self._body(), self.late - 1
            if self.late <= 0:
                self._start()
            return {"stack": body}
        if self.then:
            self.status = self.then.pop(0)
        elif self.status == "DELETE_COMPLETE" and self.closing:
            self.closing -= 1
        return fail(404, "no such stack") if self.status == "" else {"stack": {**self._body(), "outputs": self.outputs}}

    def _begin(self, method: str, asked: Asked) -> Answer:
        def start() -> None:
            self._start, self.then = None, list(self.after[method])
            if method != "DELETE":
                self.held = {part: asked.body[part] for part in ("template", "environment", "files")} | self.theirs
            verb = {"POST": "CREATE", "PUT": "UPDATE", "DELETE": "DELETE"}[method]
            self.status = f"{verb}_IN_PROGRESS"
            self.events.append(event(len(self.events), "example", self.status, f"Stack {verb} started"))

        if self.late:
            self._start = start
        else:
            start()
        return (
            (201, {"stack": {"id": ID}}) if method == "POST" else (202, "202 Accepted\n\n") if method == "PUT" else 204
        )

    def _preview(self) -> Answer:
        return {"stack": {"resources": [resource("group"), [resource("inner"), [resource("innermost")]]]}}

    def _resources(self) -> Answer:
        if self.growing:
            return {"resources": self.growing.pop(0) if len(self.growing) > 1 else self.growing[0]}
        return {"resources": self.resources}

    def _events(self, asked: Asked) -> list[dict[str, Any]]:
        assert asked.query["nested_depth"] == "5"
        if asked.query["sort_dir"] == "desc":
            return list(reversed(self.events))[: int(asked.query["limit"])]
        ids = [event["id"] for event in self.events]
        return self.events[ids.index(asked.query["marker"]) + 1 :] if "marker" in asked.query else list(self.events)
