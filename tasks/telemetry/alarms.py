"""What Aodh watches: alarms, their states, and how these changed.

openstacksdk has no client of it: its REST API is asked as https://docs.openstack.org/aodh/latest/webapi/ describes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from blocks.remote.cloud import Cloud
from tasks.heat.outputs import register_credentials
from tasks.heat.stack import parse_time

_SIGNALED = re.compile(r"[/:]stacks/[^/]+/[^/]+/resources/([^/]+)")


@dataclass(frozen=True)
class Rule:
    """What an alarm compares.

    Attributes:
        metric: Its name (`cpu`; `cpu_util` before Stein).
        aggregation: How samples become one value (`rate:mean`; `avg` before Gnocchi).
        granularity_s: Seconds that one value covers.
        periods: Values in a row that must be beyond the threshold.
        operator: `gt`, `lt`, …
        threshold: In the metric's unit: nanoseconds of CPU per polling interval, or percent for `cpu_util`.
        query: Which resources, as the alarm says it; empty means all of the project.
    """

    metric: str
    aggregation: str
    granularity_s: float
    periods: int
    operator: str
    threshold: float
    query: str


@dataclass(frozen=True)
class Alarm:
    """An alarm of Aodh.

    Attributes:
        id: Its UUID; in Heat the physical id of the resource.
        name: Its name.
        state: `ok`, `alarm` or `insufficient data`.
        since: When it came into this state.
        reason: Why, in Aodh's words.
        enabled: Whether it is evaluated.
        repeats: Whether its actions run at every evaluation, or only when the state changes.
        rule: What it compares; None for a kind of alarm that compares no metric.
        actions: How many actions it has in the state `alarm`.
        type: Aodh's word for its kind (`prometheus`, `composite`).
        time_constraints: When alone it is evaluated, as sentences; empty for always.
        signals: Names of the resources of Heat that its actions in the state `alarm` signal.
    """

    id: str
    name: str
    state: str
    since: datetime
    reason: str
    enabled: bool
    repeats: bool
    rule: Rule | None
    actions: int
    type: str = ""
    time_constraints: tuple[str, ...] = ()
    signals: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StateTransition:
    """A change of an alarm's state.

    Attributes:
        at: When.
        state: The new state.
        reason: In Aodh's words.
    """

    at: datetime
    state: str
    reason: str


def parse_alarm(body: Mapping[str, Any]) -> Alarm:
    """Read an alarm; addresses among its actions are registered as secrets."""
    register_credentials(body)
    rule = body.get(f"{body['type']}_rule")
    return Alarm(
        id=body["alarm_id"],
        name=body["name"],
        state=body["state"],
        since=parse_time(body["state_timestamp"]),
        reason=body.get("state_reason") or "",
        enabled=bool(body["enabled"]),
        repeats=bool(body.get("repeat_actions")),
        rule=_parse_rule(rule) if rule and "threshold" in rule else None,
        actions=len(body.get("alarm_actions") or ()),
        type=str(body["type"]),
        time_constraints=tuple(map(_constraint, body.get("time_constraints") or ())),
        signals=frozenset(name for action in body.get("alarm_actions") or () for name in _signaled(str(action))),
    )


def _constraint(body: Mapping[str, Any]) -> str:
    zone = body.get("timezone") or "UTC"
    return f"{body.get('name')}: from {body.get('start')!r} ({zone}) for {body.get('duration')} s"


def _signaled(action: str) -> list[str]:
    """The resource whose `signal_url` or `alarm_url` an action is."""
    return _SIGNALED.findall(unquote(action).partition("?")[0])


def _parse_rule(rule: Mapping[str, Any]) -> Rule:
    query = rule.get("query") or ""
    return Rule(
        metric=rule.get("metric") or rule.get("meter_name") or ", ".join(rule.get("metrics") or ()),
        aggregation=rule.get("aggregation_method") or rule.get("statistic") or "",
        granularity_s=float(rule.get("granularity") or rule.get("period") or 0),
        periods=int(rule.get("evaluation_periods") or 1),
        operator=rule["comparison_operator"],
        threshold=float(rule["threshold"]),
        query=query if isinstance(query, str) else json.dumps(query),
    )


def parse_history(body: Iterable[Mapping[str, Any]]) -> list[StateTransition]:
    """Read an alarm's history, the oldest change of its state first; other entries are left out."""
    changes = []
    for entry in body:
        if entry.get("type") == "state transition":
            detail = json.loads(entry["detail"]) if isinstance(entry["detail"], str) else entry["detail"]
            changes.append(
                StateTransition(parse_time(entry["timestamp"]), detail["state"], detail.get("transition_reason") or "")
            )
    return sorted(changes, key=lambda change: change.at)


def read_alarms(cloud: Cloud, ids: Iterable[str] | None = None) -> list[Alarm]:
    """Read alarms in one call.

    Args:
        cloud: Where.
        ids: Those wanted; None for all of the project.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    wanted = None if ids is None else set(ids)
    listed = cloud.get("list the alarms", "alarming", "/v2/alarms")
    return [parse_alarm(body) for body in listed if wanted is None or body["alarm_id"] in wanted]


def read_history(cloud: Cloud, alarm: str) -> list[StateTransition]:
    """Read how an alarm's state changed, the oldest change first.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    return parse_history(cloud.get("read an alarm's history", "alarming", f"/v2/alarms/{alarm}/history"))
