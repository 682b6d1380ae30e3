"""What Gnocchi keeps: archive policies, and the measures of instances.

openstacksdk has no client of it: its REST API is asked as https://gnocchi.osci.io/rest.html describes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import NotFound, RequestRejected
from tasks.heat.stack import parse_time
from tasks.telemetry.thresholds import ArchivePolicy, parse_archive_policy

# The metric behind every CPU alarm since Stein: nanoseconds of CPU since the server began.
CPU = "cpu"
RATE = "rate:mean"
# Gnocchi's words, with a 400, where none of the resources has such a metric yet.
_NO_METRIC = "Metrics not found"
# Its words, with a 404, where a metric's archive policy keeps no such aggregation.
_NO_RATE = "unknown aggregation"
RATE_HINT = (
    f"the alarm needs its mean alone, and this check {RATE}: set an archive policy with {RATE} in the publisher of Ceilometer's "
    "pipeline.yaml (gnocchi://?archive_policy=…), for metrics that are made from then on"
)


@dataclass(frozen=True)
class Measure:
    """One value of a metric.

    Attributes:
        at: Start of the span that it covers.
        granularity_s: Seconds of that span.
        value: For the rate of `cpu`, nanoseconds from one sample to the next.
        before: Start of the span of the measure before it; None where that was not read.
    """

    at: datetime
    granularity_s: float
    value: float
    before: datetime | None = None


def parse_measures(body: Iterable[tuple[str, float, float]]) -> list[Measure]:
    """Read measures, the oldest first."""
    return [Measure(parse_time(at), float(granularity), float(value)) for at, granularity, value in body]


def read_archive_policies(cloud: Cloud) -> dict[str, ArchivePolicy]:
    """Read all archive policies, by name.

    Raises:
        RunbookError: An answer of Gnocchi can't be read.
        CloudError, Stopped: As `Cloud.request`.
    """
    listed = cloud.get("list the archive policies", "metric", "/v1/archive_policy")
    return {body["name"]: parse_archive_policy(body) for body in listed}


def read_metric_policy(cloud: Cloud, server: str, metric: str = CPU) -> ArchivePolicy | None:
    """Read the archive policy that a server's metric is kept by; None while Gnocchi has no such metric.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    try:
        body = cloud.get(f"read metric {metric}", "metric", f"/v1/resource/instance/{server}/metric/{metric}")
    except NotFound:
        return None
    return parse_archive_policy(body["archive_policy"])


def read_newest(
    cloud: Cloud, servers: Collection[str], granularity_s: float, *, since: datetime, metric: str = CPU
) -> dict[str, Measure]:
    """Read the newest rate of each server's metric, all in one call; a server of which Gnocchi has none is left out.

    Args:
        cloud: Where.
        servers: The servers' ids.
        granularity_s: Seconds that one value covers; one of the archive policy's.
        since: Only what is newer.
        metric: Its name.

    Raises:
        RequestRejected: The metrics' archive policy has no such granularity, or keeps no rate.
        CloudError, Stopped: As `Cloud.request`.
    """
    if not servers:
        return {}
    query = {
        "operations": ["metric", metric, RATE],
        "search": {"or": [{"=": {"id": server}} for server in sorted(servers)]},
        "resource_type": "instance",
    }
    what = f"read the newest measures of {metric}"
    # Without dropna Gnocchi wants every moment from every server, and a new one has fewer.
    span = {"granularity": f"{granularity_s:g}", "start": since.isoformat(), "fill": "dropna"}
    try:
        body = cloud.send(what, "metric", "POST", "/v1/aggregates", query, **span)
    except NotFound as error:
        if _NO_RATE not in error.detail:
            return {}
        said = f"the archive policy of {metric} keeps no {RATE} for all of the members"
        raise RequestRejected(cloud.name, said, RATE_HINT, error.status, error.detail) from error
    except RequestRejected as error:
        if _NO_METRIC in error.detail:
            return {}
        raise
    return parse_newest(body, metric)


def read_backlog(cloud: Cloud, server: str, granularity_s: float, since: datetime, metric: str = CPU) -> int:
    """Say how many values of a server's metric Gnocchi had not worked off: its API does so when it is asked to refresh.

    That is metricd's own work, done once: whoever only watches must not ask for it again and again.

    Args:
        cloud: Where.
        server: The server's id.
        granularity_s: Seconds that one value covers.
        since: Only what is newer.
        metric: Its name.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    path = f"/v1/resource/instance/{server}/metric/{metric}/measures"
    query: dict[str, str | float] = {"aggregation": "mean", "granularity": granularity_s, "refresh": "true"}
    try:
        found = cloud.get(f"refresh the measures of {metric}", "metric", path, **query)
    except NotFound:
        return 0
    return sum(measure.at > since for measure in parse_measures(found))


def parse_newest(body: Mapping[str, Any], metric: str = CPU) -> dict[str, Measure]:
    """Read the newest measure of each resource from what `/v1/aggregates` answers."""
    found = {server: parse_measures(of[metric][RATE]) for server, of in body["measures"].items() if metric in of}
    return {
        server: replace(measures[-1], before=measures[-2].at if len(measures) > 1 else None)
        for server, measures in found.items()
        if measures
    }
