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
from tasks.telemetry.alarms import read_transitions


@dataclass
class Happenings:
    """Heat's events since the check began.

    Attributes:
        cloud: Where.
        settings: How the group is meant to scale.
        ours: Whether a signal, by its reason and direction, came from this check itself.
        heat: All events, as Heat tells them.
        signals: The signals to the group's policies.
        failed: Servers that could not be made, also where Heat has made another one since.
        made: What became of the members.
        turns: What Aodh's history says of the alarms, as of the last signal of each.
    """

    cloud: Cloud
    settings: Settings
    ours: Callable[[str, Direction], bool]
    heat: list[Event] = field(default_factory=list)
    signals: list[seen.Event] = field(default_factory=list)
    failed: list[seen.Failed] = field(default_factory=list)
    made: list[ScalingEvent] = field(default_factory=list)
    turns: list[seen.Turn] = field(default_factory=list)
    _after: str = ""

    def begin(self) -> None:
        """Remember where Heat's events are now: what happened before is not judged."""
        self._after = newest_event(self.cloud, self.settings.stack)

    def read(self, group: Group, types: Mapping[tuple[str, str], str]) -> None:
        """Read what is new.

        Args:
            group: As it was seen last.
            types: The types of all resources, by their stack and name.
        """
        new = read_events(self.cloud, self.settings.stack, self._after)
        found = list(scaling_events(new, group))
        turns = {
            ALARM_OF[way]: self._history(ALARM_OF[way])
            for event in found
            if event.by_alarm and (way := self._way(event))
        }
        # Nothing is noted before all of it is told: a cloud that fails in between is asked for the same again.
        self.heat += new
        self._after = new[-1].id if new else self._after
        for event in new:
            if event.status == "CREATE_FAILED" and is_server(event, types):
                self.failed.append(seen.Failed(event.at, event.physical_id, mask(event.reason)))
        for scaling_event in found:
            self._note(scaling_event)
        self.turns = [
            *(transition for transition in self.turns if transition.name not in turns),
            *(transition for new in turns.values() for transition in new),
        ]

    def _history(self, name: str) -> list[seen.Turn]:
        """How an alarm changed; nothing where Aodh keeps no history, or does not show it."""
        try:
            changes = read_transitions(self.cloud, self.settings.alarms[name].id)
        except (Forbidden, NotFound):
            return []
        return [seen.Turn(transition.at, name, transition.state) for transition in changes]

    def _way(self, event: ScalingEvent) -> Direction | None:
        """Where a signal leads; None where it is none to a policy of the group."""
        return self.settings.policy_directions.get(event.name) if event.kind == "signal" else None

    def _note(self, event: ScalingEvent) -> None:
        if event.kind in {"added", "removed"}:
            self.made.append(event)
        direction = self._way(event)
        if direction is not None:
            known = seen.Event(event.at, direction, event.reason, self.ours(event.reason, direction))
            if known not in self.signals:
                self.signals.append(known)
