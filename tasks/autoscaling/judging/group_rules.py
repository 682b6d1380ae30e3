"""Rules on the group itself: its size, its alarms, its policies.

Each is a pure function from a timeline to findings, and its docstring says exactly when it finds something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from tasks.autoscaling.judging.findings import Finding, Kind
from tasks.autoscaling.timeline import (
    ALARM,
    ALARM_OF,
    DIRECTIONS,
    Direction,
    Observation,
    Timeline,
    premature_scale_down,
    size_changes,
)


def size_bounds(timeline: Timeline) -> Iterator[Finding]:
    """Found at the first observation with more members than `max_size`, not counting those in ERROR, or fewer than `min_size`."""
    for observation in timeline.observations:
        if observation.size > timeline.max_size:
            yield Finding(
                Kind.TOO_MANY, f"{observation.size} members where {timeline.max_size} are the most", observation.at
            )
            break
    for observation in timeline.observations:
        if len(observation.members) < timeline.min_size:
            yield Finding(
                Kind.TOO_FEW,
                f"{len(observation.members)} members where {timeline.min_size} are the fewest",
                observation.at,
            )
            break


def scaling_reason(timeline: Timeline) -> Iterator[Finding]:
    """Found where a policy acted and Heat names no alarm in alarm for it, or its alarm was not in alarm before.

    That is: neither seen so, nor by Aodh's history.
    "Before" is what the step may have taken and two evaluations, reaching back to the observation before that, and one
    evaluation beyond, since Heat's clock is another and tells whole seconds; where nothing was observed by then, only Heat's
    words count. What the runbook's own call to the webhook did is not judged. Where other alarms signal the same policy, nobody
    can say which of them it was: that spoils the check.
    """
    for event in timeline.signals:
        if event.by_check:
            continue
        name = ALARM_OF[event.direction]
        said = re.search(r"alarm state changed (?:from .+? )?to ([a-z ]+)", event.reason)
        if not said or said[1].strip() != ALARM:
            what = f"and Heat names no alarm that asked for it: {event.reason or 'no reason'}"
            yield Finding(Kind.WRONG_REASON, f"scaled {event.direction}, {what}", event.at)
        elif not _was_up(timeline, name, event.at):
            if others := timeline.other_alarms.get(event.direction):
                what = f"while the {name} alarm was not seen in alarm: {', '.join(others)} signals the same policy"
                yield Finding(Kind.OTHER_ALARM, f"scaled {event.direction} {what}", event.at)
                continue
            what = f"while the {name} alarm was not seen in alarm: {event.reason}"
            yield Finding(Kind.WRONG_REASON, f"scaled {event.direction} {what}", event.at)


def _was_up(timeline: Timeline, name: str, at: datetime) -> bool:
    begin = at - timedelta(seconds=timeline.settle_s + 2 * timeline.timing.evaluation_s)
    end = at + timedelta(seconds=timeline.timing.evaluation_s)
    earlier = [observation for observation in timeline.observations if observation.at <= end]
    before = [observation for observation in earlier if observation.at < begin][-1:]
    near = [*before, *(observation for observation in earlier if observation.at >= begin)]
    if not near or any(observation.alarms.get(name) == ALARM for observation in near):
        return True
    turns = [
        transition for transition in timeline.alarm_transitions if transition.name == name and transition.at <= end
    ]
    within = [
        *[transition for transition in turns if transition.at < begin][-1:],
        *(transition for transition in turns if transition.at >= begin),
    ]
    return any(transition.state == ALARM for transition in within)


def threshold(timeline: Timeline) -> Iterator[Finding]:
    """Found where an alarm's threshold is off what percent, vCPUs and interval give by more than one in a hundred."""
    for name in ("high", "low"):
        wanted, found = getattr(timeline.expected_thresholds, name), getattr(timeline.alarm_thresholds, name)
        if abs(found - wanted) > wanted / 100:
            yield Finding(
                Kind.THRESHOLD,
                f"the {name} alarm compares with {found:g} instead of {wanted:g}, {found / wanted:.2g} times as much",
            )


def refused_webhook(timeline: Timeline) -> Iterator[Finding]:
    """Found at the first call of each webhook that was answered with an error, or not at all."""
    reported = set()
    for call in timeline.webhook_calls:
        if (call.status >= 400 or not call.status) and call.direction not in reported:
            reported.add(call.direction)
            why = (
                ": Keystone lets nobody anonymous check a signature (/v3/ec2tokens), and Heat's [ec2authtoken] has no "
                "credentials, or is too old to use them"
                if call.status == 403
                else ""
            )
            said = f"answered {call.status}" if call.status else "did not answer: see whether heat-api-cfn runs"
            yield Finding(Kind.WEBHOOK_REFUSED, f"the webhook to scale {call.direction} {said}{why}", call.at)


def ignored_webhook(timeline: Timeline) -> Iterator[Finding]:
    """Found for a call of a webhook that was taken, and of which no step came.

    That is: none before a step that an alarm asked for, nor within what a step may take and an evaluation. Where the alarm was
    up already, Heat may have been at work on its step, and then rightly drops the call.
    """
    for call in timeline.webhook_calls:
        steps = [step for step in timeline.signals if step.direction == call.direction]
        if not 200 <= call.status < 300 or any(step.by_check for step in steps):
            continue
        waited_s = (timeline.observations[-1].at - call.at).total_seconds() if timeline.observations else 0.0
        if not steps and waited_s <= timeline.settle_s + timeline.timing.evaluation_s:
            continue
        if not _was_up(timeline, ALARM_OF[call.direction], call.at):
            yield Finding(
                Kind.WEBHOOK_IGNORED,
                f"the webhook to scale {call.direction} answered {call.status}, and no step came of it: see heat-engine's log",
                call.at,
            )


def scaled_down_early(timeline: Timeline) -> Iterator[Finding]:
    """Found where the low alarm took back what the check's own call had added, before there was a measure of the load."""
    change = premature_scale_down(timeline)
    if change is not None:
        yield Finding(
            Kind.PREMATURE_SCALE_DOWN,
            "the low alarm took back what the webhook had added, before the load was measured: the cooldown of "
            f"{timeline.timing.cooldown_s:g} s is shorter than telemetry takes",
            change.at,
        )


def lost_signal(timeline: Timeline) -> Iterator[Finding]:
    """Found where an alarm was up without a break, with room to scale and no event, longer than anything can explain.

    That is: the alarm in every observation `alarm`, the size the same and within its bounds, and no event of the policy, for
    longer than cooldown, two evaluations and what a step may take, each time from the last event on. A step is granted no
    time where Heat had none under way: there the signal has only to reach it, and that is as quick as a measure.
    """
    timing = timeline.timing
    waits = timing.cooldown_s + 2 * timing.evaluation_s
    for direction in DIRECTIONS:
        since: Observation | None = None  # when it began
        still: Observation | None = None  # from when on Heat had nothing under way, too
        for observation in timeline.phase(direction):
            room = observation.size < timeline.max_size if direction == "up" else observation.size > timeline.min_size
            asked = observation.alarms.get(ALARM_OF[direction]) == ALARM and room
            since = (since if since and observation.size == since.size else observation) if asked else None
            still = (
                (still if still and still.size == observation.size else observation)
                if asked and observation.heat_idle
                else None
            )
            if since is None:
                continue
            if _acted(timeline, direction, since, observation):  # what it does not do from now on, counts
                since, still = observation, observation if observation.heat_idle else None
            if _span_s(since, observation) > waits + timeline.settle_s or (
                still is not None and _span_s(still, observation) > waits + timing.processing_s
            ):
                up = f"the {ALARM_OF[direction]} alarm was up for {_span_s(since, observation):.0f} s"
                why = _why_lost(timeline, direction)
                yield Finding(Kind.SIGNAL_LOST, f"{up} and the group did not change: {why}", since.at)
                break


def _why_lost(timeline: Timeline, direction: Direction) -> str:
    heat = (
        "Heat did not act on the signal (see heat-engine's log for AuthorizationFailure, and aodh-notifier's for the answer that "
        "it got)"
    )
    if ALARM_OF[direction] not in timeline.signal_once:
        return heat
    acted = any(signal.direction == direction for signal in timeline.signals)
    once = "the alarm signals once (repeat_actions is false), and that"
    return (
        f"{once} fell into the cooldown, or into the step before" if acted else f"{once} was dropped or lost; or {heat}"
    )


def _acted(timeline: Timeline, direction: Direction, since: Observation, until: Observation) -> bool:
    return any(event.direction == direction and since.at <= event.at <= until.at for event in timeline.signals)


def _span_s(since: Observation, until: Observation) -> float:
    return (until.at - since.at).total_seconds()


def flapping(timeline: Timeline) -> Iterator[Finding]:
    """Found where the phase's alarm comes up twice within one size, or the opposite one comes up after it.

    When the size changes an alarm may go and come again: the mean is over other members.
    """
    for direction in DIRECTIONS:
        own = ALARM_OF[direction]
        while_ = "the members are under load" if direction == "up" else "the members are idle"
        comes, been_up = 0, False
        for before, observation in pairwise(timeline.phase(direction)):
            came = {name for name in observation.alarms if observation.alarms[name] == ALARM != before.alarms.get(name)}
            if been_up and came - {own}:
                said = (
                    f"the {', '.join(came - {own})} alarm came up while {while_} (the mean over the members' counters jumps "
                    "with each that joins or leaves: more evaluation_periods, or a longer cooldown, keep an alarm from it)"
                )
                yield Finding(Kind.FLAPPING, said, observation.at)
                break
            comes = (comes if observation.size == before.size else 0) + (own in came)
            if comes > 1:
                yield Finding(Kind.FLAPPING, f"the {own} alarm came up {comes} times while {while_}", observation.at)
                break
            been_up = been_up or observation.alarms.get(own) == ALARM


def late(timeline: Timeline) -> Iterator[Finding]:
    """Found for each transition that took longer than its bound."""
    for direction in DIRECTIONS:
        for change in size_changes(timeline, direction):
            if change.after_s > change.latest_s:
                yield Finding(Kind.LATE, str(change), change.at)


def already_full(timeline: Timeline) -> Iterator[Finding]:
    """Found where the group was at its `max_size` when the load began."""
    first = next(iter(timeline.phase("up")), None)
    if first is not None and first.size >= timeline.max_size:
        yield Finding(Kind.ALREADY_FULL, f"the group had {first.size} members before there was any load", first.at)


def not_at_minimum(timeline: Timeline) -> Iterator[Finding]:
    """Found where a group did not come to rest at its minimum before there was any load: as it was seen last, why not."""
    last = timeline.observations[-1]
    lost = [member for member in last.members if member.unreachable]
    for member in lost:
        yield Finding(Kind.UNREACHABLE, f"member {member.id}: {member.unreachable}", last.at)
    if last.size >= timeline.max_size:
        yield Finding(Kind.ALREADY_FULL, f"the group had {last.size} members before there was any load", last.at)
    elif not lost and not len(last.ready) == len(last.members) == timeline.min_size:
        ready = f"{len(last.ready)} of {len(last.members)} members were ready"
        yield Finding(Kind.NOT_AT_MINIMUM, f"{ready} before there was any load, and not {timeline.min_size}", last.at)
    elif not lost:
        used = "" if last.cpu_percent is None else f", and the members used {last.cpu_percent:.0f} %"
        yield Finding(Kind.BUSY_BEFORE, f"the high alarm was up before there was any load{used}", last.at)
