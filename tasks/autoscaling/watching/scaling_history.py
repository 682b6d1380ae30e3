"""What Heat did with a group while it was watched, by its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import Forbidden, NotFound
from blocks.remote.secrets import mask
from tasks.autoscaling import timeline as seen
from tasks.autoscaling.group.group import Group, ScalingEvent, scaling_events
from tasks.autoscaling.group.pool import is_server
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.timeline import ALARM_OF, Direction
from tasks.heat.events import Event, newest_event, read_events
from tasks.telemetry.alarms import read_history


@dataclass
class ScalingHistory:
    """Heat's events since the check began.

    Attributes:
        cloud: Where.
        settings: How the group is meant to scale.
        is_by_check: Whether a signal, by its reason and direction, came from this check itself.
        events: All events, as Heat tells them.
        signals: The signals to the group's policies.
        server_failures: Servers that could not be made, also where Heat has made another one since.
        member_events: What became of the members.
        alarm_transitions: What Aodh's history says of the alarms, as of the last signal of each.
    """

    cloud: Cloud
    settings: Settings
    is_by_check: Callable[[str, Direction], bool]
    events: list[Event] = field(default_factory=list)
    signals: list[seen.PolicySignal] = field(default_factory=list)
    server_failures: list[seen.ServerFailure] = field(default_factory=list)
    member_events: list[ScalingEvent] = field(default_factory=list)
    alarm_transitions: list[seen.AlarmTransition] = field(default_factory=list)
    _marker: str = ""

    def begin(self) -> None:
        """Remember where Heat's events are now: what happened before is not judged."""
        self._marker = newest_event(self.cloud, self.settings.stack)

    def read(self, group: Group, types: Mapping[tuple[str, str], str]) -> None:
        """Read what is new.

        Args:
            group: As it was seen last.
            types: The types of all resources, by their stack and name.
        """
        new = read_events(self.cloud, self.settings.stack, self._marker)
        scaling = list(scaling_events(new, group))
        alarm_transitions = {
            ALARM_OF[way]: self._alarm_history(ALARM_OF[way])
            for event in scaling
            if event.by_alarm and (way := self._direction(event))
        }
        # Nothing is noted before all of it is told: a cloud that fails in between is asked for the same again.
        self.events += new
        self._marker = new[-1].id if new else self._marker
        for event in new:
            if event.status == "CREATE_FAILED" and is_server(event, types):
                self.server_failures.append(seen.ServerFailure(event.at, event.physical_id, mask(event.reason)))
        for scaling_event in scaling:
            self._record(scaling_event)
        self.alarm_transitions = [
            *(transition for transition in self.alarm_transitions if transition.name not in alarm_transitions),
            *(transition for new in alarm_transitions.values() for transition in new),
        ]

    def _alarm_history(self, name: str) -> list[seen.AlarmTransition]:
        """How an alarm changed; nothing where Aodh keeps no history, or does not show it."""
        try:
            changes = read_history(self.cloud, self.settings.alarms[name].id)
        except (Forbidden, NotFound):
            return []
        return [seen.AlarmTransition(transition.at, name, transition.state) for transition in changes]

    def _direction(self, event: ScalingEvent) -> Direction | None:
        """Where a signal leads; None where it is none to a policy of the group."""
        return self.settings.policy_directions.get(event.name) if event.kind == "signal" else None

    def _record(self, event: ScalingEvent) -> None:
        if event.kind in {"added", "removed"}:
            self.member_events.append(event)
        direction = self._direction(event)
        if direction is not None:
            known = seen.PolicySignal(event.at, direction, event.reason, self.is_by_check(event.reason, direction))
            if known not in self.signals:
                self.signals.append(known)
