"""How much of a check's time is its own: the delay between what Heat had made and the look that saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.autoscaling.group.group import ScalingEvent
from tasks.autoscaling.timeline import DIRECTIONS, Timeline, size_changes


@dataclass(frozen=True)
class ObservationDelay:
    """The delays of all transitions together.

    Attributes:
        unseen_s: Seconds from Heat's events until the looks that saw what they say.
        took_s: Seconds that the transitions took, those included.
    """

    unseen_s: float
    took_s: float

    def __str__(self) -> str:
        share = 100 * self.unseen_s / self.took_s if self.took_s else 0.0
        return (
            f"The group's changes took {self.took_s:.0f} s as seen; {self.unseen_s:.0f} s of it, {share:.0f} %, passed between "
            "what Heat had made and the look that saw it."
        )


def observation_delay(timeline: Timeline, member_events: Sequence[ScalingEvent]) -> ObservationDelay | None:
    """Hold each transition against Heat's event of the same step; None where Heat made more than was seen.

    Args:
        timeline: What was seen.
        member_events: What became of the members, by Heat's events, which are told to the second.
    """
    seen_s = took_s = 0.0
    for direction in DIRECTIONS:
        begun = timeline.load_on if direction == "up" else timeline.load_off
        kind = "added" if direction == "up" else "removed"
        events = [event for event in member_events if event.kind == kind and begun is not None and event.at >= begun]
        changes = size_changes(timeline, direction)
        if not changes or len(changes) < len(events):
            return None
        took_s += sum(change.after_s for change in changes)
        # A server can be active before Heat has its last resource, and gone before Heat has removed that.
        pairs = zip(changes, events, strict=False)
        seen_s += sum(max(0.0, (change.at - event.at).total_seconds()) for change, event in pairs)
    return ObservationDelay(seen_s, took_s)
