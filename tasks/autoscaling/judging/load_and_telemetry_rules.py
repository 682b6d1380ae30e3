"""Rules on what surrounds the group: its members, their load, and the telemetry between them and the alarms.

Each is a pure function from a timeline to findings, and its docstring says exactly when it finds something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tasks.autoscaling.judging.findings import Finding, Kind
from tasks.autoscaling.timeline import ALARM, ALARM_OF, DIRECTIONS, NO_DATA, MemberState, Observation, Timeline
from tasks.telemetry.measures import CPU, RATE, RATE_HINT


def member_error(timeline: Timeline) -> Iterator[Finding]:
    """Found for each server seen in ERROR; and whether Heat has replaced it: it went, and one came that was not there.

    One that nobody saw, since Heat took it away again at once, is found by Heat's own event.
    """
    told: set[str] = set()
    for number, observation in enumerate(timeline.observations):
        for member in observation.members:
            if member.status != "ERROR" or member.id in told:
                continue
            told.add(member.id)
            known = {seen.id for earlier in timeline.observations[: number + 1] for seen in earlier.members}
            later = [{seen.id for seen in after.members} for after in timeline.observations[number + 1 :]]
            replaced = next((ids - known for ids in later if member.id not in ids and ids - known), None)
            after = f"; Heat put {', '.join(sorted(replaced))} in its place and said nothing" if replaced else ""
            yield Finding(
                Kind.MEMBER_ERROR,
                f"server {member.id} went to ERROR{after} (see `openstack server show`, fault)",
                observation.at,
            )
    for failed in timeline.server_failures:
        if failed.id not in told:
            told.add(failed.id)
            yield Finding(Kind.MEMBER_ERROR, f"server {failed.id} could not be made: {failed.reason}", failed.at)


def unreachable(timeline: Timeline) -> Iterator[Finding]:
    """Found for each member that was active and out of reach, without a break, longer than a step may take."""
    for id_ in _ids(timeline):
        found = _held_for(timeline, id_, lambda member: member.status == "ACTIVE" and member.unreachable != "")
        if found:
            since, last = found
            yield Finding(Kind.UNREACHABLE, f"member {id_}: {last.unreachable}", since.at)


def load_died(timeline: Timeline) -> Iterator[Finding]:
    """Found for each member whose load became less while there should be load, or was too small longer than a step may take.

    A member that was not asked, or that has gone, has no load that could die.
    """
    for id_ in _ids(timeline):
        seen = [
            (observation, m.load_processes)
            for observation, m in _states_of(id_, timeline.phase("up"))
            if m.load_processes is not None
        ]
        died = next((pair for pair in pairwise(seen) if pair[0][1] > pair[1][1]), None)
        if died:
            (_, before), (observation, after) = died
            yield Finding(Kind.LOAD_DIED, f"member {id_}: {after} of {before} loads were left", observation.at)
            continue
        lacking = _held_for(
            timeline,
            id_,
            lambda m: m.load_processes is not None and m.load_processes < timeline.processes_per_member,
            "up",
        )
        if lacking:
            since, member = lacking
            yield Finding(
                Kind.LOAD_DIED,
                f"member {id_}: only {member.load_processes} of {timeline.processes_per_member} loads ran",
                since.at,
            )


def load_too_low(timeline: Timeline) -> Iterator[Finding]:
    """Found where all members were fully loaded, measured, and below the high threshold, longer than an alarm may take.

    AS 1.3.1, Important: "If the CPU usage is not sufficiently high, run the dd command multiple times".
    """
    patience = timeline.timing.until_alarm(timeline.crossing("up")).latest_s
    since: Observation | None = None
    for observation in timeline.phase("up"):
        loaded = observation.size > 0 and all(
            member.load_processes is not None and member.load_processes >= timeline.processes_per_member
            for member in observation.members
        )
        cpu = observation.cpu_percent
        if (
            not loaded
            or cpu is None
            or cpu > timeline.thresholds_percent.high
            or silence(timeline, observation) is not None
        ):
            since = None
            continue
        since = since or observation
        if (observation.at - since.at).total_seconds() > patience:
            yield Finding(
                Kind.NOT_BUSY,
                f"every member carries its load and they use {cpu:.0f} %, below {timeline.thresholds_percent.high:g} %",
                since.at,
            )
            return


def alarm_not_raised(timeline: Timeline) -> Iterator[Finding]:
    """Found where measured CPU was above the high threshold, the alarm `ok`, longer than a step may wait for it."""
    patience = timeline.timing.until_next_step(timeline.crossing("up")).latest_s
    since: Observation | None = None
    for observation in timeline.phase("up"):
        cpu = observation.cpu_percent
        fresh = cpu is not None and cpu > timeline.thresholds_percent.high and silence(timeline, observation) is None
        if not fresh or observation.alarms.get("high") in {ALARM, NO_DATA}:
            since = None
            continue
        since = since or observation
        if (observation.at - since.at).total_seconds() > patience:
            yield Finding(
                Kind.ALARM_NOT_RAISED,
                f"the members use {cpu:.0f} %, above {timeline.thresholds_percent.high:g} %, and the high alarm is "
                f"{observation.alarms.get('high')!r}: {_hint_constraints(timeline)}{_hint_partial_interval(timeline)}"
                "see whether aodh-evaluator runs, and what it logs of this alarm",
                since.at,
            )
            return


def _hint_constraints(timeline: Timeline) -> str:
    """What is to be said where Aodh evaluates the high alarm at certain times alone."""
    when = "; ".join(timeline.time_constraints.get("high", ()))
    return f"it is evaluated within its time constraints alone ({when}); otherwise " if when else ""


def _hint_partial_interval(timeline: Timeline) -> str:
    """What is to be said where an interval of the alarm holds several polls, and one alone is below the threshold.

    Of n polls in an interval the first moves its mean by (n + 1) / 2n of what all of them do (`tasks.telemetry.thresholds`).
    """
    polls = round(timeline.timing.granularity_s / timeline.timing.polling_s)
    first = 100 * (polls + 1) / (2 * polls) if polls > 1 else 100
    if first > timeline.thresholds_percent.high:
        return ""
    return (
        f"its intervals of {timeline.timing.granularity_s:g} s hold {polls} polls, and one with the first poll alone counts as "
        f"{first:.0f} %, so it comes only if Aodh looks when the last one is in: give it the polling interval of "
        f"{timeline.timing.polling_s:g} s as its granularity; otherwise "
    )


def no_data(timeline: Timeline) -> Iterator[Finding]:
    """Found for a phase's alarm that had no data until its end, longer than it may take, though new measures came all the time.

    Not where the granularity or the polling interval explain it.
    """
    if [*coarse_telemetry(timeline), *missing_granularity(timeline)]:
        return
    for direction in DIRECTIONS:
        name, since = ALARM_OF[direction], None
        for observation in timeline.phase(direction):
            blind = observation.alarms.get(name) == NO_DATA and silence(timeline, observation) is None
            since = (since or observation) if blind else None
        if since is None:
            continue
        timing, last = timeline.timing_of(direction), timeline.phase(direction)[-1]
        if (last.at - since.at).total_seconds() > timing.until_alarm(timeline.crossing(direction)).latest_s:
            back_s = (timing.evaluation_periods + 1) * timing.granularity_s
            yield Finding(
                Kind.NO_DATA,
                f"the {name} alarm has insufficient data though the members are measured: see whether they carry the tag of "
                "its query (metering.server_group), whether Gnocchi's resource type instance has that attribute, and whether "
                f"measures are there within the {back_s:g} s that it looks back",
                since.at,
            )


def silence(timeline: Timeline, observation: Observation) -> float | None:
    """For how many seconds no new measure has come, if that is longer than telemetry may take; else None."""
    since = observation.measured_at or _unmeasured_since(timeline, observation)
    seconds = (observation.at - since).total_seconds()
    return seconds if seconds > timeline.timing.silent_after_s() else None


def _unmeasured_since(timeline: Timeline, observation: Observation) -> datetime:
    """From when on there should have been a measure: since the last one, and since there is the oldest of these members.

    Where a member that was measured has gone, those that are left may be too young.
    """
    earlier = [other for other in timeline.observations if other.at <= observation.at]
    measured = [other.measured_at for other in earlier if other.measured_at]
    there = next((other.at for other in earlier if other.ready & observation.ready), observation.at)
    return max([*measured, there])


def missing_measures(timeline: Timeline) -> Iterator[Finding]:
    """Found at the first observation with an age of the newest measure that telemetry can't explain, unless it is coarse."""
    if timeline.policy_without_rate:
        return
    for observation, seconds in _silent(timeline):
        cause = (
            f"{observation.backlog} measures wait for metricd: see whether gnocchi-metricd runs"
            if observation.backlog
            else "nothing waits for metricd: see whether Ceilometer's polling and notification agents run, and RabbitMQ, and "
            f"whether CPU is polled every {timeline.timing.polling_s:g} s"
        )
        if not _gaps(timeline, observation):
            yield Finding(
                Kind.NO_MEASURES, f"no new measure of any member for {seconds:.0f} s; {cause}", observation.at
            )
        return


def _silent(timeline: Timeline) -> Iterator[tuple[Observation, float]]:
    """The observations at which telemetry was silent, each with the seconds since the newest measure."""
    for observation in timeline.observations:
        seconds = silence(timeline, observation)
        if seconds is not None:
            yield observation, seconds


# So many in a row that a poll or two which a busy cloud has missed are not taken for its interval.
_GAPS = 3


def coarse_telemetry(timeline: Timeline) -> Iterator[Finding]:
    """Found where CPU is polled less often than the alarm's granularity, as configured or as the gaps between measures show.

    That is: at least three gaps of which none is as short as it should be; or where telemetry was silent, a single one.
    """
    polling, granularity = timeline.timing.polling_s, timeline.timing.granularity_s
    if polling > granularity:
        yield Finding(Kind.TOO_COARSE, f"CPU is polled every {polling:g} s, and the alarm looks at {granularity:g} s")
        return
    mend = f"see whether Ceilometer polls every {polling:g} s (set-telemetry-interval)"
    for observation, seconds in _silent(timeline):
        if gaps := _gaps(timeline, observation):
            said = f"no new measure for {seconds:.0f} s, and those before it came {min(gaps):g} s apart"
            yield Finding(
                Kind.TOO_COARSE, f"{said}, where the alarm looks at {granularity:g} s: {mend}", observation.at
            )
        return
    gaps = _gaps(timeline, timeline.observations[-1]) if timeline.observations else []
    if len(gaps) >= _GAPS:
        said = f"measures come every {min(gaps):g} s, and the alarm looks at {granularity:g} s"
        yield Finding(Kind.TOO_COARSE, f"{said}: {mend}")


def _gaps(timeline: Timeline, until: Observation) -> list[float]:
    """The seconds between one measure and the next so far; none unless all of them are longer than the alarm's granularity."""
    seen = [observation for observation in timeline.observations if observation.at <= until.at]
    times = sorted(
        {time for observation in seen for time in (observation.measured_at, observation.previous_measure_at) if time}
    )
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    return gaps if gaps and min(gaps) > 1.5 * timeline.timing.granularity_s else []


def missing_granularity(timeline: Timeline) -> Iterator[Finding]:
    """Found where the members' metric has no archive policy, or one without the alarm's granularity, or without the rate."""
    if timeline.policy_without_rate:
        yield Finding(
            Kind.NO_GRANULARITY, f"archive policy {timeline.policy_without_rate} keeps no {RATE} of {CPU}: {RATE_HINT}"
        )
    offered = timeline.granularities_s
    wanted = sorted({timeline.timing_of(direction).granularity_s for direction in DIRECTIONS})
    if offered is None:
        # A member that has just been made is unknown to Gnocchi until its first measure has come.
        seen = timeline.observations
        if not seen or (seen[-1].at - seen[0].at).total_seconds() <= timeline.timing.silent_after_s():
            return
        yield Finding(Kind.NO_GRANULARITY, "Gnocchi has no metric cpu of the members, so no archive policy either")
        return
    listed = ", ".join(f"{granularity_s} s" for granularity_s in offered)
    for granularity_s in [granularity_s for granularity_s in wanted if offered and granularity_s not in offered]:
        yield Finding(
            Kind.NO_GRANULARITY,
            f"the alarm looks at {granularity_s:g} s, and the archive policy of the members' metric keeps {listed}: set another in "
            "the publisher of Ceilometer's pipeline.yaml (gnocchi://?archive_policy=…)",
        )


def _ids(timeline: Timeline) -> list[str]:
    return sorted({member.id for observation in timeline.observations for member in observation.members})


def _states_of(id_: str, seen: Sequence[Observation]) -> list[tuple[Observation, MemberState]]:
    return [(observation, member) for observation in seen for member in observation.members if member.id == id_]


def _held_for(
    timeline: Timeline, id_: str, holds: Callable[[MemberState], bool], within: str = ""
) -> tuple[Observation, MemberState] | None:
    """Where something held for a member, without a break, longer than a step may take: since when, and its last state."""
    since: Observation | None = None
    for observation, member in _states_of(id_, timeline.phase("up") if within else timeline.observations):
        if not holds(member):
            since = None
            continue
        since = since or observation
        if observation.at - since.at > timedelta(seconds=timeline.settle_s):
            return since, member
    return None
