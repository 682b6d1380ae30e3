"""The verdict on a group that was to scale under load and back (AS 1.2.1, 1.2.2, 1.3.1, 1.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.autoscaling.judging import group_rules, load_and_telemetry_rules
from tasks.autoscaling.judging.findings import WEIGHT, Finding, Weight
from tasks.autoscaling.timeline import (
    DIRECTIONS,
    Direction,
    SizeChange,
    Timeline,
    allowed_duration,
    size_changes,
    size_path,
)
from tasks.telemetry.thresholds import Bound

Outcome = Literal["passed", "failed", "inconclusive"]
Rule = Callable[[Timeline], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    *(
        group_rules.size_bounds,
        group_rules.scaling_reason,
        group_rules.threshold,
        group_rules.refused_webhook,
        group_rules.ignored_webhook,
    ),
    *(group_rules.scaled_down_early, group_rules.lost_signal),
    *(
        load_and_telemetry_rules.alarm_not_raised,
        load_and_telemetry_rules.no_data,
        load_and_telemetry_rules.member_error,
        group_rules.already_full,
    ),
    *(
        load_and_telemetry_rules.load_died,
        load_and_telemetry_rules.load_too_low,
        load_and_telemetry_rules.unreachable,
        load_and_telemetry_rules.missing_measures,
    ),
    *(
        load_and_telemetry_rules.coarse_telemetry,
        load_and_telemetry_rules.missing_granularity,
        group_rules.flapping,
        group_rules.late,
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What the check says.

    Attributes:
        outcome: `passed`: the group went from its minimum to its maximum and back, and nothing was wrong with how.
            `failed`: the group, its alarms or its policies are not as they should be. `inconclusive`: something around it
            kept the check from being one.
        why: In a sentence or two.
        findings: Everything else that the operator should know, too.
        up: The transitions under load.
        down: The transitions after it.
        took_s: Seconds from the beginning of the load to the last transition, and from its end likewise, together.
        allowed: What polling, evaluation and cooldown allow for the same, soonest and latest.
    """

    outcome: Outcome
    why: str
    findings: tuple[Finding, ...]
    up: tuple[SizeChange, ...]
    down: tuple[SizeChange, ...]
    took_s: float
    allowed: Bound


def judge(timeline: Timeline, more: Sequence[Finding] = ()) -> Verdict:
    """Judge a timeline.

    In this order: a finding that fails decides, then one that leaves it open. Else a group that went all the way has passed.
    Else a finding that spoils the check leaves it open; and all else has failed, for what explains it, if anything does.

    Args:
        timeline: What was seen.
        more: Findings that the runbook has made itself.
    """
    found = [*(finding for rule in RULES for finding in rule(timeline)), *more]
    missed = [sentence for direction in DIRECTIONS for sentence in _missed(timeline, direction)]
    outcome, why = _decide(found, missed)
    up, down = (tuple(size_changes(timeline, direction)) for direction in DIRECTIONS)
    return Verdict(outcome, why, tuple(found), up, down, _took_s(up) + _took_s(down), allowed_duration(timeline))


def _decide(found: Sequence[Finding], missed: Sequence[str]) -> tuple[Outcome, str]:
    def said(weight: Weight) -> str:
        return "; ".join(str(finding) for finding in found if WEIGHT[finding.kind] is weight)

    if failing := said(Weight.FAILS):
        return "failed", failing
    if doubted := said(Weight.DOUBTS):
        return "inconclusive", doubted
    if not missed:
        return "passed", "the group went from its minimum to its maximum under load, and back after it"
    if spoiled := said(Weight.SPOILS):
        return "inconclusive", f"{spoiled}; {'; '.join(missed)}"
    if explained := said(Weight.EXPLAINS_FAILURE):
        return "failed", f"{explained}; {'; '.join(missed)}"
    return "failed", f"{'; '.join(missed)}, and nothing that was seen explains it"


def _missed(timeline: Timeline, direction: Direction) -> list[str]:
    """What is missing from the way between minimum and maximum."""
    low, high = timeline.min_size, timeline.max_size
    if low >= high:
        return [f"a group of {low} to {high} members has nothing to scale"]
    first, last = (low, high) if direction == "up" else (high, low)
    when = "under load" if direction == "up" else "after the load"
    went = size_path(timeline, direction)
    if not went:
        return [f"{when} the group was not looked at"]
    straight = sorted(went, reverse=direction == "down")
    if went == straight and went[0] == first and went[-1] == last:
        return []
    return [f"{when} the group went {' → '.join(map(str, went))}, and not from {first} to {last}"]


def _took_s(changes: Sequence[SizeChange]) -> float:
    return sum(change.after_s for change in changes)
