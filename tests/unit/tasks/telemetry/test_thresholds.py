"""The arithmetic of CPU alarms: thresholds, granularities, and when an alarm can fire."""

import math

import pytest

from blocks.remote.errors import RunbookError
from tasks.telemetry.thresholds import (
    ArchivePolicy,
    Bound,
    Timing,
    choose_granularity,
    parse_archive_policy,
    percent_of,
    threshold_ns,
    threshold_of_one_vcpu,
    threshold_percent,
)

# As `GET /v1/archive_policy/ceilometer-low-rate` answers, the policy that is shipped.
LOW_RATE = {
    "name": "ceilometer-low-rate",
    "back_window": 0,
    "aggregation_methods": ["mean", "rate:mean"],
    "definition": [{"granularity": "0:05:00", "points": 8640, "timespan": "30 days, 0:00:00"}],
}


@pytest.mark.parametrize(
    ("percent", "vcpus", "interval_s", "ns"),
    [
        (50, 1, 60, 30_000_000_000),
        (10, 1, 60, 6_000_000_000),
        (95, 2, 60, 114_000_000_000),
        (15, 1, 5, 750_000_000),
        (50, 4, 300, 600_000_000_000),
    ],
)
def test_the_threshold_grows_with_percent_vcpus_and_interval(
    percent: float, vcpus: int, interval_s: float, ns: int
) -> None:
    assert threshold_ns(percent, vcpus, interval_s) == ns
    assert percent_of(ns, vcpus, interval_s) == pytest.approx(percent)


def test_on_osp_8_the_threshold_is_the_percentage() -> None:
    assert threshold_percent(50) == 50


@pytest.mark.parametrize("percent", [0, -1, 100, 250])
def test_a_percentage_that_can_not_be_crossed_is_refused(percent: float) -> None:
    with pytest.raises(RunbookError, match="can't be crossed"):
        threshold_percent(percent)
    with pytest.raises(RunbookError, match="can't be crossed"):
        threshold_ns(percent, 1, 60)


@pytest.mark.parametrize(("vcpus", "interval_s"), [(0, 60), (1, 0), (1, -5)])
def test_no_threshold_without_vcpus_or_interval(vcpus: int, interval_s: float) -> None:
    with pytest.raises(RunbookError, match="no threshold"):
        threshold_ns(50, vcpus, interval_s)


@pytest.mark.parametrize(("percent", "vcpus", "of_one"), [(50, 1, 50), (10, 2, 20), (95, 8, 760)])
def test_for_prometheus_the_threshold_is_in_percent_of_one_vcpu(percent: float, vcpus: int, of_one: float) -> None:
    assert threshold_of_one_vcpu(percent, vcpus) == of_one
    # Both stand for the same load: nanoseconds in a second, over 10 million.
    assert threshold_ns(percent, vcpus, 60) / 60 / 10_000_000 == of_one


@pytest.mark.parametrize(("percent", "vcpus"), [(50, 0), (0, 1), (100, 1)])
def test_for_prometheus_a_threshold_that_no_alarm_can_have_is_refused(percent: float, vcpus: int) -> None:
    with pytest.raises(RunbookError):
        threshold_of_one_vcpu(percent, vcpus)


def test_an_archive_policy_is_read_as_gnocchi_writes_it() -> None:
    policy = parse_archive_policy(LOW_RATE)
    assert policy == ArchivePolicy("ceilometer-low-rate", {300: 2_592_000.0}, frozenset({"mean", "rate:mean"}))


def test_an_archive_policy_in_plain_numbers_is_read_too() -> None:
    document = {"name": "fast", "aggregation_methods": [], "definition": [{"granularity": 5, "timespan": 14400.0}]}
    assert parse_archive_policy(document).timespans_s == {5: 14400.0}


@pytest.mark.parametrize("document", [{}, {**LOW_RATE, "definition": [{"granularity": "soon", "timespan": "1"}]}])
def test_what_is_no_archive_policy_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(RunbookError, match="can't be read"):
        parse_archive_policy(document)


def policy(spans: dict[int, float], *methods: str) -> ArchivePolicy:
    return ArchivePolicy("p", spans, frozenset(methods or ("mean", "rate:mean")))


def test_the_granularity_is_the_polling_interval_where_the_policy_has_it() -> None:
    assert choose_granularity(policy({60: 86400, 300: 864000, 5: 3600}), 60, 2) == 60


def test_else_it_is_the_finest_that_holds_a_sample_each() -> None:
    assert choose_granularity(policy({60: 86400, 300: 864000}), 45, 2) == 60


def test_a_policy_finer_than_the_polling_interval_is_refused() -> None:
    with pytest.raises(RunbookError, match="hold no sample"):
        choose_granularity(policy({60: 86400}), 300, 2)


@pytest.mark.parametrize("kept", ["mean", "rate:mean"])
def test_a_policy_without_a_method_that_is_needed_is_refused(kept: str) -> None:
    with pytest.raises(RunbookError, match="keeps no"):
        choose_granularity(policy({60: 86400}, kept), 60, 2)


def test_a_policy_that_forgets_what_the_alarm_looks_at_is_refused() -> None:
    assert choose_granularity(policy({60: 240}), 60, 2) == 60
    with pytest.raises(RunbookError, match="looks 300 s back"):
        choose_granularity(policy({60: 240}), 60, 3)


# The document's numbers, with what is shipped besides.
DOCUMENTED = Timing(60, 60, 1, 60, 0, 60)


def test_the_documented_alarm_fires_between_half_a_minute_and_two_and_a_half() -> None:
    assert DOCUMENTED.until_alarm(0.5) == Bound(30, 150)


def test_a_second_period_makes_both_bounds_one_interval_later() -> None:
    assert Timing(60, 60, 2, 60, 0, 60).until_alarm(0.5) == Bound(90, 210)


def test_with_several_samples_in_an_interval_the_bounds_are_wider() -> None:
    assert Timing(5, 10, 2, 10, 1, 15).until_alarm(0.5) == Bound(5, 51)


def test_the_next_step_waits_for_the_cooldown() -> None:
    assert Timing(5, 5, 2, 5, 1, 100).until_next_step(0.5) == Bound(100, 105)


def test_the_next_step_waits_for_the_alarm_where_the_cooldown_is_short() -> None:
    assert Timing(5, 5, 2, 5, 1, 0).until_next_step(0.5) == Bound(0, 23.5)


def test_bounds_add_up() -> None:
    assert Bound(1, 2) + Bound(3, 4.5) == Bound(4, 6.5)


def test_telemetry_counts_as_silent_only_after_two_missing_intervals() -> None:
    assert Timing(5, 5, 2, 5, 1, 10).silent_after_s() == 16
    assert Timing(300, 60, 2, 5, 0, 10).silent_after_s() == 660


@pytest.mark.parametrize(
    ("part", "kept_s"),
    [
        ({"granularity": "0:01:00", "points": 10}, 600),
        ({"granularity": 60, "points": 10, "timespan": None}, 600),
        ({"granularity": 60.0, "points": None, "timespan": None}, math.inf),
        ({"granularity": 60}, math.inf),
    ],
)
def test_a_policy_may_say_points_for_a_time_span_or_neither(part: dict[str, object], kept_s: float) -> None:
    policy = parse_archive_policy({"name": "a", "definition": [part], "aggregation_methods": ["mean", "rate:mean"]})
    assert policy.timespans_s == {60: kept_s}
    assert choose_granularity(policy, 60, 2) == 60
