"""What a CPU alarm is compared with, and when it can fire: the arithmetic of Ceilometer, Gnocchi, Aodh and Heat.

OSP 8 (AS 1.2 step 3, 1.3 step 2) compares `cpu_util`, a percentage of all vCPUs. Since Stein there is only `cpu`, the
nanoseconds that an instance has used since it began. Of these, an `OS::Aodh::GnocchiAggregationByResourcesAlarm` with
`rate:mean` compares (Aodh 14 and newer, `aodh/evaluator/gnocchi.py`: `(aggregate rate:mean (metric cpu mean))`; computed
with Gnocchi 4.4.2): the mean over one granularity and over all members, less that of the granularity before. So

    threshold in ns = percent / 100 × vCPUs × granularity in s × 10⁹

Gnocchi's own `rate:mean` of one member's metric is another number: the mean difference between two samples, for which the
polling interval stands in the formula's place. Both, and Red Hat's table (60 × 10⁹ = 100 % of one vCPU), agree where the
polling interval and the granularity are the same, and there each granularity holds one sample, so that none is judged
before it is complete. Hence `choose_granularity` takes the same interval wherever the archive policy has it.

When a member joins or leaves, the mean jumps by the members' different ages, minutes of CPU time in a single step. Only
`evaluation_periods` of 2 or more keep an alarm from acting on it; `cpu_util` does not jump.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blocks.remote.errors import RunbookError

_NS = 1_000_000_000
# What the alarm aggregates, and what a member's own percentage is read from.
METHODS = ("mean", "rate:mean")


def threshold_ns(percent: float, vcpus: int, interval_s: float) -> int:
    """Return the threshold of an alarm on `cpu`, in ns.

    Args:
        percent: Of all vCPUs of a member: the document's 50 and 10 (AS 1.2 step 3), 95 and 15 (AS 1.3 step 2).
        vcpus: Of one member, from its flavor.
        interval_s: The alarm's granularity; for one member's own `rate:mean` the polling interval.

    Raises:
        RunbookError: A number that no alarm can have.
    """
    if vcpus < 1 or interval_s <= 0:
        raise RunbookError(
            f"no threshold for {vcpus} vCPUs and an interval of {interval_s:g} s", "take both from the cloud"
        )
    return round(threshold_percent(percent) / 100 * vcpus * interval_s * _NS)


def threshold_percent(percent: float) -> float:
    """Return the threshold of an alarm on OSP 8's `cpu_util`: the percentage itself.

    Raises:
        RunbookError: It is not between 0 and 100.
    """
    if not 0 < percent < 100:
        raise RunbookError(
            f"a threshold of {percent:g} % can't be crossed", "give one above 0 and below 100: of all vCPUs of a member"
        )
    return percent


def threshold_of_one_vcpu(percent: float, vcpus: int) -> float:
    """Return the threshold of an alarm on Prometheus's rate of `ceilometer_cpu` in percent of one vCPU.

    The rate is nanoseconds of CPU in each second of one member; 10⁷ of them are a percent of one vCPU.

    Args:
        percent: Of all vCPUs of a member, as for `threshold_ns`.
        vcpus: Of one member, from its flavor.

    Raises:
        RunbookError: A number that no alarm can have.
    """
    if vcpus < 1:
        raise RunbookError(f"no threshold for {vcpus} vCPUs", "take them from the cloud")
    return threshold_percent(percent) * vcpus


def percent_of(ns: float, vcpus: int, interval_s: float) -> float:
    """Return the percentage of all vCPUs that `ns` of CPU time in one interval are; the inverse of `threshold_ns`."""
    return ns / (vcpus * interval_s * _NS) * 100


@dataclass(frozen=True)
class ArchivePolicy:
    """What Gnocchi keeps of a metric.

    Attributes:
        name: The policy's.
        timespans_s: Granularity → how long it is kept, both in seconds.
        methods: Aggregation methods.
    """

    name: str
    timespans_s: Mapping[int, float]
    methods: frozenset[str]


def parse_archive_policy(document: Mapping[str, Any]) -> ArchivePolicy:
    """Read an archive policy as `GET /v1/archive_policy/<name>` answers it.

    Raises:
        RunbookError: It is not one.
    """
    try:
        spans = {round(_seconds(part["granularity"])): _timespan_s(part) for part in document["definition"]}
        return ArchivePolicy(str(document["name"]), spans, frozenset(document["aggregation_methods"]))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunbookError(
            f"Gnocchi's archive policy can't be read: {type(error).__name__} {error}",
            "see `openstack metric archive-policy list`",
        ) from error


def _timespan_s(part: Mapping[str, Any]) -> float:
    """How long a granularity is kept; for ever where the policy gives neither a time span nor a number of points."""
    if part.get("timespan") is not None:
        return _seconds(part["timespan"])
    return _seconds(part["granularity"]) * int(part["points"]) if part.get("points") is not None else math.inf


def _seconds(value: object) -> float:
    """A span as Gnocchi writes it: `0:05:00`, `62 days, 0:00:00`, or a number."""
    found = re.fullmatch(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)", str(value))
    if not found:
        return float(str(value))
    days, hours, minutes, seconds = found.groups(default="0")
    return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def choose_granularity(policy: ArchivePolicy, polling_s: int, evaluation_periods: int) -> int:
    """Return the granularity for an alarm: the polling interval, or the finest of the policy that holds a sample each.

    Args:
        policy: Of the members' `cpu` metric (the publisher's `archive_policy` in Ceilometer's pipeline.yaml).
        polling_s: Ceilometer's polling interval.
        evaluation_periods: The alarm's.

    Raises:
        RunbookError: The policy allows no such alarm.
    """
    missing = [method for method in METHODS if method not in policy.methods]
    if missing:
        raise RunbookError(
            f"archive policy {policy.name} keeps no {' and no '.join(missing)}",
            f"give the metric a policy with the aggregation methods {', '.join(METHODS)}",
        )
    fine = sorted(seconds for seconds in policy.timespans_s if seconds >= polling_s)
    if not fine:
        raise RunbookError(
            f"archive policy {policy.name} keeps at most {max(policy.timespans_s, default=0)} s together, and CPU is "
            f"polled every {polling_s} s: most of its intervals hold no sample",
            "shorten the polling interval with set-telemetry-interval, or give the metric another policy",
        )
    # Aodh asks for one granularity more than it judges, and needs one more to take the difference from.
    needed = (evaluation_periods + 2) * fine[0]
    if policy.timespans_s[fine[0]] < needed:
        raise RunbookError(
            f"archive policy {policy.name} keeps {fine[0]} s for {policy.timespans_s[fine[0]]:g} s, and the alarm looks "
            f"{needed} s back",
            "take fewer evaluation periods, or a policy with a longer timespan",
        )
    return fine[0]


@dataclass(frozen=True)
class Bound:
    """When something comes, in seconds, if everything works.

    Attributes:
        soonest_s: Not before: where every interval happens to end at the best moment.
        latest_s: Not after: where every interval has just begun.
    """

    soonest_s: float
    latest_s: float

    def __add__(self, other: Bound) -> Bound:
        return Bound(self.soonest_s + other.soonest_s, self.latest_s + other.latest_s)


@dataclass(frozen=True)
class Timing:
    """The intervals between a load and the member that it brings, in seconds.

    Attributes:
        polling_s: Ceilometer's, of the source that polls `cpu`.
        granularity_s: The alarm's (`period` on OSP 8).
        evaluation_periods: The alarm's.
        evaluation_s: Aodh's `evaluation_interval` (60 as shipped).
        processing_s: From the poll until Gnocchi answers with the measure (metricd's delay; on OSP 8 the collector's).
        cooldown_s: Of the group and its policies. It begins when the member before is complete.
    """

    polling_s: float
    granularity_s: float
    evaluation_periods: int
    evaluation_s: float
    processing_s: float
    cooldown_s: float

    def until_alarm(self, crossing: float) -> Bound:
        """From a change of load in every member until the alarm's action.

        Args:
            crossing: The part of an interval after which its mean is across: the threshold's fraction for the high alarm,
                one less the fraction for the low one.
        """
        periods, every = self.evaluation_periods, self.granularity_s
        if self.polling_s == every:
            soonest, latest = periods - 1 + crossing, periods + crossing
        else:  # means over several samples, of which the newest interval may hold a part alone
            soonest, latest = max(periods - 2, 0) + crossing, periods + 2
        return Bound(soonest * every, latest * every + self.processing_s + self.evaluation_s)

    def until_next_step(self, crossing: float) -> Bound:
        """From the moment when the last member is complete and loaded until the next action.

        The new member's first sample moves the mean (see above), so the alarm may have to begin anew after it.
        """
        alarm = self.until_alarm(crossing)
        latest = max(self.cooldown_s + self.evaluation_s, alarm.latest_s + max(self.granularity_s, self.polling_s))
        return Bound(self.cooldown_s, latest)

    def silent_after_s(self) -> float:
        """The age of the newest measure from which on telemetry counts as silent: two of its intervals and processing."""
        return self.granularity_s + 2 * max(self.granularity_s, self.polling_s) + self.processing_s
