"""The verdict on a group, and every rule behind it: what it finds, and what it leaves alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tasks.autoscaling.judging.findings import WEIGHT, Finding, Kind, Weight
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import (
    ALARM,
    OK,
    MemberState,
    Observation,
    PolicySignal,
    Thresholds,
    Timeline,
    WebhookCall,
    size_changes,
    size_path,
)
from tasks.telemetry.thresholds import Bound, Timing
from tests.unit.tasks.autoscaling.timelines import (
    FAILED_BOOT,
    LIVES,
    ONE,
    REASON,
    SLOW_BOOT,
    TWO,
    Seen,
    alarm,
    at,
    blind,
    deaf,
    good,
    kinds,
    member,
    quiet,
    seen,
    without,
)

Change = Callable[[Timeline], Timeline]


def test_a_group_that_scales_as_it_should_passes_without_a_finding() -> None:
    verdict = judge(good())
    assert (verdict.outcome, verdict.findings) == ("passed", ())
    assert [str(change) for change in verdict.up] == [
        "1 → 2 after 18 s (at most 24 s)",
        "2 → 3 after 20 s (at most 30 s)",
    ]
    assert [(change.before, change.after) for change in verdict.down] == [(3, 2), (2, 1)]


def test_a_transition_says_who_came_and_who_went() -> None:
    up, down = (size_changes(good(), direction) for direction in ("up", "down"))
    assert [(set(change.joined), set(change.left)) for change in (*up, *down)] == [
        ({"b"}, set()),
        ({"c"}, set()),
        (set(), {"a"}),
        (set(), {"b"}),
    ]


def test_the_time_is_held_against_what_the_intervals_allow() -> None:
    verdict = judge(good())
    assert verdict.took_s == 18 + 20 + 20 + 18
    assert verdict.allowed == Bound(7.5 + 10 + 9.5 + 10, 24.5 + 29.5 + 31.5 + 31.5)


def test_a_member_counts_once_it_is_active_and_has_served() -> None:
    assert size_path(good(), "up") == [1, 2, 3]
    assert size_path(seen(good(), member("c", 0, status="BUILD")), "up") == [1, 2]
    assert size_path(seen(good(), member("c", 0, serves=False)), "up") == [1, 2]
    assert size_path(seen(good(), member("c", 0, serves=True)), "up") == [1, 2, 3]


@pytest.mark.parametrize(
    "timeline",
    [
        good(TWO),
        good(ONE),
        replace(good(), load_off=None),
        replace(good(), load_on=None, load_off=None),
        replace(good(), max_size=1),
        replace(good(), observations=()),
        seen(good(), without("b", 35, 40)),
    ],
)
def test_a_group_that_does_not_go_all_the_way_has_not_passed(timeline: Timeline) -> None:
    assert judge(timeline).outcome != "passed"


def test_what_nothing_explains_has_failed_and_says_the_way() -> None:
    verdict = judge(seen(good(TWO), alarm("high", OK, 40)))
    assert verdict.outcome == "failed"
    assert "under load the group went 1 → 2, and not from 1 to 3" in verdict.why


LOST: dict[str, Any] = {"load_processes": None, "cpu_percent": 1.0, "unreachable": "no SSH session within 10 s"}
COARSE = Timing(60, 5, 2, 5, 1, 10)
HAND = "No signal details provided"
TOLD = (Kind.FLAPPING, "passed")

# Each case: what is wrong, how it is made, the finding that names it, and the verdict.
WRONG: list[tuple[str, Change, Kind, str]] = [
    ("a fourth member", lambda t: seen(t, _fourth), Kind.TOO_MANY, "failed"),
    ("no member left", lambda t: seen(t, without("c", 100)), Kind.TOO_FEW, "failed"),
    ("a policy without its alarm", lambda t: seen(t, alarm("low", OK, 16)), Kind.WRONG_REASON, "failed"),
    ("a hand", lambda t: replace(t, signals=(PolicySignal(at(28), "up", HAND),)), Kind.WRONG_REASON, "failed"),
    ("a threshold off by two", lambda t: replace(t, alarm_thresholds=Thresholds(5e9, 0.5e9)), Kind.THRESHOLD, "failed"),
    (
        "the low one off by two",
        lambda t: replace(t, alarm_thresholds=Thresholds(2.5e9, 0.25e9)),
        Kind.THRESHOLD,
        "failed",
    ),
    ("a 403", lambda t: replace(t, webhook_calls=(WebhookCall(at(15), "up", 403),)), Kind.WEBHOOK_REFUSED, "failed"),
    (
        "a webhook that nobody hears",
        lambda t: replace(t, webhook_calls=(WebhookCall(at(12), "up", 200),)),
        Kind.WEBHOOK_IGNORED,
        "failed",
    ),
    ("a webhook whose member is taken back", lambda _: _taken_back(), Kind.PREMATURE_SCALE_DOWN, "passed"),
    ("a lost signal", lambda _: good(ONE), Kind.SIGNAL_LOST, "failed"),
    ("an alarm that sleeps", lambda _: quiet(), Kind.ALARM_NOT_RAISED, "failed"),
    ("an alarm without data", lambda _: blind(), Kind.NO_DATA, "failed"),
    (
        "a boot that fails",
        lambda _: seen(good(FAILED_BOOT), member("c", 47, status="ERROR")),
        Kind.MEMBER_ERROR,
        "failed",
    ),
    ("full before", lambda t: seen(t, _full), Kind.ALREADY_FULL, "inconclusive"),
    (
        "a load that dies",
        lambda _: _halted(member("b", 40, load_processes=0, cpu_percent=1.0)),
        Kind.LOAD_DIED,
        "inconclusive",
    ),
    (
        "a load that lacks",
        lambda _: _halted(member("b", 0, load_processes=1, cpu_percent=5.0)),
        Kind.LOAD_DIED,
        "inconclusive",
    ),
    ("a load too small", lambda _: _idle(40), Kind.NOT_BUSY, "inconclusive"),
    ("out of reach", lambda _: _halted(member("b", 0, **LOST)), Kind.UNREACHABLE, "inconclusive"),
    ("Ceilometer stopped", lambda _: deaf(0), Kind.NO_MEASURES, "inconclusive"),
    ("metricd stopped", lambda _: deaf(40), Kind.NO_MEASURES, "inconclusive"),
    ("too coarse", lambda _: replace(blind(), timing=COARSE), Kind.TOO_COARSE, "inconclusive"),
    ("no granularity", lambda _: replace(blind(), granularities_s=(60, 300)), Kind.NO_GRANULARITY, "inconclusive"),
    (
        "an archive policy without the rate",
        lambda _: replace(deaf(0), policy_without_rate="low"),
        Kind.NO_GRANULARITY,
        "inconclusive",
    ),
    (
        "memory's alarm on the same policy",
        lambda t: replace(seen(t, alarm("low", OK, 16)), other_alarms={"down": ("memory_low",)}),
        Kind.OTHER_ALARM,
        "inconclusive",
    ),
    ("no archive policy", lambda _: replace(blind(), granularities_s=None), Kind.NO_GRANULARITY, "inconclusive"),
    ("an alarm that flaps", lambda t: seen(seen(t, alarm("high", OK, 30, 32)), alarm("high", OK, 35, 37)), *TOLD),
    ("the other alarm", lambda t: seen(t, alarm("low", ALARM, 30, 33)), *TOLD),
    ("late", lambda _: good(SLOW_BOOT), Kind.LATE, "passed"),
]


def _taken_back() -> Timeline:
    """The check's own call adds a member, which goes before the high alarm comes up; then the alarm adds two."""
    lives = {"x": (11, 12, 16), **LIVES}
    first = (PolicySignal(at(12), "up", HAND, by_check=True), PolicySignal(at(16), "down", REASON))
    timeline = good(lives)
    later = tuple(event for event in timeline.signals if event.at > at(16))
    return replace(timeline, signals=(*first, *later), webhook_calls=(WebhookCall(at(11), "up", 200),))


def _fourth(observation: Observation, now: int) -> Observation:
    return (
        replace(observation, members=(*observation.members, MemberState("d", "ACTIVE", load_processes=2)))
        if 50 <= now < 55
        else observation
    )


def _full(observation: Observation, now: int) -> Observation:
    return replace(
        observation, members=tuple(MemberState(id_, "ACTIVE", load_processes=2 * (10 <= now < 60)) for id_ in "abc")
    )


def _idle(percent: float) -> Timeline:
    """One member whose load makes it use so much, and no alarm."""
    return seen(quiet(), member("a", 0, cpu_percent=percent))


def _halted(change: Seen) -> Timeline:
    """Two members, of which one is changed, and no alarm from then on."""
    return seen(seen(good(TWO), change), alarm("high", OK, 40))


@pytest.mark.parametrize(("change", "kind", "outcome"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_named_and_decides_as_it_should(change: Change, kind: Kind, outcome: str) -> None:
    verdict = judge(change(good()))
    assert kind in {finding.kind for finding in verdict.findings}
    assert verdict.outcome == outcome
    if outcome != "passed":
        assert str(kind) in verdict.why


def test_every_kind_has_a_case_and_a_weight() -> None:
    of_a_visitor = {Kind.REQUESTS_LOST, Kind.NOT_BALANCED, Kind.LEFT_IN_POOL}  # test_web_watch.py
    before = {Kind.NOT_AT_MINIMUM, Kind.BUSY_BEFORE}  # test_watch.py
    of_a_run = {Kind.CUT_SHORT}  # test_run.py
    assert {case[2] for case in WRONG} | of_a_visitor | before | of_a_run == set(Kind) == set(WEIGHT)


def test_each_timeline_is_told_only_what_is_wrong_with_it() -> None:
    told = {name: kinds(change(good())) - {kind} for name, change, kind, _ in WRONG}
    assert {name: more for name, more in told.items() if more} == {}


def test_a_finding_of_the_runbook_s_own_counts_like_any_other() -> None:
    lost = Finding(Kind.WEBHOOK_REFUSED, "12 of 3000 requests were lost")
    assert WEIGHT[lost.kind] is Weight.FAILS
    verdict = judge(good(), [lost])
    assert verdict.outcome == "failed"
    assert "12 of 3000" in verdict.why
