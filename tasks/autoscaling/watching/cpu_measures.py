"""What telemetry says of a group's members: their newest measures, and what waits to become one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import Forbidden, NotFound
from tasks.telemetry.measures import RATE, Measure, read_backlog, read_metric_policy, read_newest
from tasks.telemetry.thresholds import Timing

# So many granularities back that two measures are found also where polling was left at OSP's ten minutes, and a minute's told.
_GRANULARITIES_BACK = 25


@dataclass
class CpuMeasures:
    """Reads the measures of the members' CPU, with as few calls as that takes.

    Attributes:
        cloud: Where.
        timing: The intervals.
        granularities: Those of the archive policy of the members' metric; None where it has none; empty until it was read.
        policy_without_rate: Name of that policy, where it keeps no rate: Aodh computes that itself, and Gnocchi can't.
    """

    cloud: Cloud
    timing: Timing
    granularities: tuple[int, ...] | None = ()
    policy_without_rate: str = ""

    def newest(self, servers: Collection[str], now: datetime) -> dict[str, Measure]:
        """The newest measure of each server that has one."""
        if servers and not self.granularities:
            policy = read_metric_policy(self.cloud, min(servers))
            self.granularities = tuple(sorted(policy.timespans_s)) if policy else None
            self.policy_without_rate = policy.name if policy and RATE not in policy.methods else ""
        if self.policy_without_rate:
            return {}  # a rule tells
        if self.granularities and self.timing.granularity_s not in self.granularities:
            return {}  # a rule tells
        back_s = max(3 * self.timing.silent_after_s(), _GRANULARITIES_BACK * self.timing.granularity_s)
        since = now - timedelta(seconds=back_s)
        return read_newest(self.cloud, servers, self.timing.granularity_s, since=since)

    def backlog(self, servers: Collection[str], since: datetime, now: datetime) -> int | None:
        """How many measures wait for metricd; None while they come as they should.

        Args:
            servers: The members' ids.
            since: When the newest measure was taken; where there is none, when the first was looked for.
            now: The time.
        """
        if (now - since).total_seconds() <= self.timing.silent_after_s():
            return None
        try:
            status = self.cloud.get("read Gnocchi's status", "metric", "/v1/status", details="false")
        except (Forbidden, NotFound):  # it is the administrator's
            return sum(read_backlog(self.cloud, server, self.timing.granularity_s, since) for server in servers)
        summary = (status.get("storage") or {}).get("summary") or {}
        return int(summary.get("measures", 0))
