"""Findings: what can be said of a group that scales, and what each of it means for the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Weight(StrEnum):
    """What a finding does to the verdict."""

    FAILS = "fails"  # the check has failed, even if the group reached every size
    DOUBTS = "leaves open"  # nothing can be said of it, even if the group reached every size
    SPOILS = "spoils"  # if the group did not scale, nothing can be said of it: what was tried was not a test
    EXPLAINS_FAILURE = "explains a failure"  # if the group did not scale and nothing spoils that, this is the reason
    INFORMS = "told"  # the operator should know; it decides nothing


class Kind(StrEnum):
    """What was found."""

    TOO_MANY = "more members than max_size"
    TOO_FEW = "fewer members than min_size"
    WRONG_REASON = "scaled for the wrong reason"
    THRESHOLD = "alarm with another threshold"
    WEBHOOK_REFUSED = "webhook refused"
    WEBHOOK_IGNORED = "webhook without effect"
    PREMATURE_SCALE_DOWN = "member taken back"
    SIGNAL_LOST = "alarm without effect"
    ALARM_NOT_RAISED = "alarm that does not come up"
    NO_DATA = "alarm without data"
    FLAPPING = "alarm that flaps"
    MEMBER_ERROR = "member in ERROR"
    LATE = "later than the intervals allow"
    ALREADY_FULL = "max_size reached before"
    NOT_AT_MINIMUM = "group that does not come to its minimum"
    BUSY_BEFORE = "busy before any load"
    LOAD_DIED = "load that died early"
    NOT_BUSY = "load that does not reach the threshold"
    UNREACHABLE = "member out of reach"
    NO_MEASURES = "no new measures"
    TOO_COARSE = "telemetry too coarse"
    NO_GRANULARITY = "no archive policy for the alarm"
    REQUESTS_LOST = "requests lost"
    NOT_BALANCED = "balancer that leaves a member out"
    LEFT_IN_POOL = "member that goes before the balancer knows"
    OTHER_ALARM = "another alarm on the same policy"
    CUT_SHORT = "check that was cut short"


WEIGHT = {
    Kind.TOO_MANY: Weight.FAILS,
    Kind.TOO_FEW: Weight.FAILS,
    Kind.WRONG_REASON: Weight.FAILS,
    Kind.THRESHOLD: Weight.FAILS,
    Kind.WEBHOOK_REFUSED: Weight.FAILS,
    Kind.WEBHOOK_IGNORED: Weight.FAILS,
    Kind.PREMATURE_SCALE_DOWN: Weight.INFORMS,
    Kind.SIGNAL_LOST: Weight.FAILS,
    Kind.ALARM_NOT_RAISED: Weight.EXPLAINS_FAILURE,
    Kind.NO_DATA: Weight.EXPLAINS_FAILURE,
    Kind.MEMBER_ERROR: Weight.EXPLAINS_FAILURE,
    Kind.FLAPPING: Weight.EXPLAINS_FAILURE,
    Kind.LATE: Weight.INFORMS,
    Kind.ALREADY_FULL: Weight.SPOILS,
    Kind.NOT_AT_MINIMUM: Weight.SPOILS,
    Kind.BUSY_BEFORE: Weight.SPOILS,
    Kind.LOAD_DIED: Weight.SPOILS,
    Kind.NOT_BUSY: Weight.SPOILS,
    Kind.UNREACHABLE: Weight.SPOILS,
    Kind.NO_MEASURES: Weight.SPOILS,
    Kind.TOO_COARSE: Weight.SPOILS,
    Kind.NO_GRANULARITY: Weight.SPOILS,
    Kind.REQUESTS_LOST: Weight.FAILS,
    Kind.NOT_BALANCED: Weight.FAILS,
    Kind.LEFT_IN_POOL: Weight.FAILS,
    Kind.OTHER_ALARM: Weight.DOUBTS,
    Kind.CUT_SHORT: Weight.SPOILS,
}


@dataclass(frozen=True)
class Finding:
    """Something that the operator must know.

    Attributes:
        kind: What.
        sentence: In a sentence, with what to look at.
        at: When it was first seen; None where it has no moment.
    """

    kind: Kind
    sentence: str
    at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"
