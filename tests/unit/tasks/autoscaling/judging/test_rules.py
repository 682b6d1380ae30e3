"""Each rule finds what its docstring says, with a sentence that helps, and leaves alone what only looks like it."""

from dataclasses import replace

import pytest

from tasks.autoscaling.judging.findings import Kind
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import (
    ALARM,
    NO_DATA,
    OK,
    AlarmTransition,
    MemberState,
    Observation,
    PolicySignal,
    ServerFailure,
    Thresholds,
    WebhookCall,
)
from tests.unit.tasks.autoscaling.timelines import (
    FAILED_BOOT,
    ONE,
    REASON,
    TWO,
    alarm,
    at,
    from_second,
    good,
    kinds,
    member,
    quiet,
    seen,
)


@pytest.mark.parametrize(
    ("polls", "high", "said"),
    [(1, 95, ""), (2, 70, ""), (2, 95, "hold 2 polls"), (4, 62, ""), (4, 65, "first poll alone counts as 62 %")],
)
def test_an_alarm_that_intervals_with_several_polls_keep_down_is_not_only_blamed_on_aodh(
    polls: int, high: float, said: str
) -> None:
    busy = seen(quiet(), member("a", 0, cpu_percent=100.0))
    timing = replace(busy.timing, polling_s=busy.timing.granularity_s / polls)
    verdict = judge(replace(busy, timing=timing, thresholds_percent=Thresholds(high, 10)))
    (silent,) = [finding for finding in verdict.findings if finding.kind is Kind.ALARM_NOT_RAISED]
    assert said in silent.sentence
    assert ("give it the polling interval" in silent.sentence) is bool(said)
    assert "aodh-evaluator" in silent.sentence


def test_a_boot_that_failed_between_two_looks_is_found_by_heats_event() -> None:
    reason = 'ResourceInError: resources.server: Went to status ERROR due to "No valid host was found."'
    failed = (ServerFailure(at(43), "x", reason), ServerFailure(at(45), "b", reason))
    timeline = replace(seen(good(TWO), member("b", 40, status="ERROR")), server_failures=failed)
    found = [finding for finding in judge(timeline).findings if finding.kind is Kind.MEMBER_ERROR]
    assert [finding.at for finding in found] == [at(40), at(43)]
    assert "server x could not be made: ResourceInError" in found[1].sentence


def test_the_group_that_heat_repaired_passes_and_the_repair_is_told() -> None:
    def repaired(observation: Observation, now: int) -> Observation:
        members = tuple(m for m in observation.members if m.id != "c")
        if 42 <= now < 46:
            members = (*members, MemberState("x", "ERROR"))
        return replace(observation, members=(*members, *(m for m in observation.members if m.id == "c" and now >= 46)))

    verdict = judge(seen(good(), repaired))
    assert verdict.outcome == "passed"
    (finding,) = [finding for finding in verdict.findings if finding.kind is Kind.MEMBER_ERROR]
    assert "server x went to ERROR; Heat put c in its place" in finding.sentence


def test_a_member_in_error_that_nobody_replaced_is_told_as_that() -> None:
    (finding,) = judge(seen(good(FAILED_BOOT), member("c", 47, status="ERROR"))).findings
    assert finding.kind is Kind.MEMBER_ERROR
    assert "in its place" not in finding.sentence


@pytest.mark.parametrize(("backlog", "said"), [(40, "40 measures wait for metricd"), (0, "Ceilometer's polling")])
def test_silence_is_laid_at_the_right_door(backlog: int, said: str) -> None:
    silent = seen(good(), from_second(30, measured_at=at(20), backlog=backlog))
    (finding,) = [finding for finding in judge(silent).findings if finding.kind is Kind.NO_MEASURES]
    assert said in finding.sentence
    assert finding.at == at(37)


def test_measures_that_come_more_rarely_than_the_alarm_looks_are_seen() -> None:
    def rare(observation: Observation, now: int) -> Observation:
        return replace(observation, measured_at=at(now - now % 10))

    (finding,) = [finding for finding in judge(seen(good(), rare)).findings if finding.kind is Kind.TOO_COARSE]
    assert "measures come every 10 s, and the alarm looks at 5 s" in finding.sentence


def test_measures_that_come_by_twos_are_not_taken_for_rare_ones() -> None:
    def by_twos(observation: Observation, now: int) -> Observation:
        newest = now - now % 10
        return replace(observation, measured_at=at(newest), previous_measure_at=at(newest - 5))

    assert Kind.TOO_COARSE not in {finding.kind for finding in judge(seen(good(), by_twos)).findings}


@pytest.mark.parametrize(("until", "told"), [(29, False), (30, True)])
def test_two_polls_that_a_busy_cloud_has_missed_are_not_its_interval(until: int, told: bool) -> None:
    def rare(observation: Observation, now: int) -> Observation:
        return replace(observation, measured_at=at(now - now % 10))

    timeline = seen(good(), rare)
    so_far = replace(timeline, observations=timeline.observations[: until + 1])
    assert (Kind.TOO_COARSE in {finding.kind for finding in judge(so_far).findings}) is told


def test_a_polling_interval_that_is_longer_than_told_is_not_taken_for_silence() -> None:
    def rare(observation: Observation, now: int) -> Observation:
        newest = now - now % 25
        return replace(observation, measured_at=at(newest), previous_measure_at=at(newest - 25))

    found = judge(seen(quiet(), rare)).findings
    assert Kind.NO_MEASURES not in {finding.kind for finding in found}
    (finding,) = [finding for finding in found if finding.kind is Kind.TOO_COARSE]
    assert "no new measure for 17 s, and those before it came 25 s apart" in finding.sentence
    assert "set-telemetry-interval" in finding.sentence


def test_a_member_that_is_too_young_to_be_measured_is_not_silent() -> None:
    def young(observation: Observation, now: int) -> Observation:
        measured_at = at(now - now % 5 - 5) if now < 60 else None
        return replace(
            observation,
            measured_at=measured_at,
            members=tuple(m for m in observation.members if m.id == ("a" if now < 60 else "b")),
        )

    timeline = seen(good({"a": (0, 0, 80), "b": (55, 58, 1000)}), young)
    (finding,) = [finding for finding in judge(timeline).findings if finding.kind is Kind.NO_MEASURES]
    assert finding.at == at(60 + 16 + 1)


def test_a_signal_that_is_lost_after_the_first_step_is_found_too() -> None:
    (finding,) = [finding for finding in judge(good(TWO)).findings if finding.kind is Kind.SIGNAL_LOST]
    assert finding.at == at(29)


def test_an_alarm_that_was_up_between_two_looks_is_believed_by_aodhs_history() -> None:
    unseen = replace(seen(good(), alarm("high", OK, 0)), signals=(PolicySignal(at(40), "up", REASON),))
    assert Kind.WRONG_REASON in kinds(unseen)
    for turns in (
        [AlarmTransition(at(39), "high", ALARM), AlarmTransition(at(39.5), "high", OK)],
        [AlarmTransition(at(12), "high", ALARM)],  # and since then
    ):
        assert Kind.WRONG_REASON not in kinds(replace(unseen, alarm_transitions=tuple(turns)))
    for turns in (
        [AlarmTransition(at(39), "low", ALARM)],
        [AlarmTransition(at(2), "high", ALARM), AlarmTransition(at(4), "high", OK)],
        [AlarmTransition(at(90), "high", ALARM)],
    ):
        assert Kind.WRONG_REASON in kinds(replace(unseen, alarm_transitions=tuple(turns)))


def test_an_alarm_that_loses_its_data_under_load_is_named() -> None:
    blind = seen(seen(good(ONE), alarm("high", OK, 0)), alarm("high", NO_DATA, 20))
    (finding,) = [finding for finding in judge(blind).findings if finding.kind is Kind.NO_DATA]
    assert finding.at == at(20)
    assert "within the 15 s that it looks back" in finding.sentence
    assert Kind.NO_DATA not in kinds(seen(blind, alarm("high", OK, 50)))


def test_heat_whose_clock_is_behind_names_no_wrong_reason() -> None:
    late = seen(seen(good(), alarm("high", OK, 0, 12)), alarm("high", ALARM, 12, 65))
    skewed = replace(
        late, settle_s=0, timing=replace(late.timing, evaluation_s=2), signals=(PolicySignal(at(11), "up", REASON),)
    )
    assert Kind.WRONG_REASON not in kinds(skewed)
    skewed = replace(skewed, signals=(PolicySignal(at(9), "up", REASON),))
    assert Kind.WRONG_REASON in kinds(skewed)


def test_a_webhook_that_was_heard_is_known_by_heats_event_whatever_its_clock_says() -> None:
    call = (WebhookCall(at(12), "up", 200),)
    heard = replace(
        good(),
        webhook_calls=call,
        signals=(PolicySignal(at(11), "up", "No signal details provided", by_check=True), *good().signals),
    )
    assert Kind.WEBHOOK_IGNORED not in kinds(heard)
    assert Kind.WEBHOOK_IGNORED in kinds(replace(good(), webhook_calls=call))


def test_a_webhook_that_did_not_answer_is_refused_with_what_to_look_at() -> None:
    (finding,) = [
        finding
        for finding in judge(replace(good(), webhook_calls=(WebhookCall(at(15), "up", 0),))).findings
        if finding.kind is Kind.WEBHOOK_REFUSED
    ]
    assert "the webhook to scale up did not answer: see whether heat-api-cfn runs" in finding.sentence


def test_a_webhook_s_403_says_what_an_operator_of_heat_must_look_at() -> None:
    calls = (WebhookCall(at(15), "up", 200), WebhookCall(at(16), "down", 403), WebhookCall(at(17), "down", 403))
    (finding,) = [
        finding
        for finding in judge(replace(good(), webhook_calls=calls)).findings
        if finding.kind is Kind.WEBHOOK_REFUSED
    ]
    assert "scale down answered 403" in finding.sentence
    assert "ec2authtoken" in finding.sentence
    server_error = replace(good(), webhook_calls=(WebhookCall(at(15), "up", 500),))
    assert "ec2authtoken" not in judge(server_error).why


def test_a_signal_that_was_lost_is_seen_sooner_where_heat_has_nothing_under_way() -> None:
    """The alarm is up from second 20, cooldown and two evaluations are 20 s, a measure takes 1 s, a step 6 s."""
    idle = seen(good(ONE), from_second(0, heat_idle=True))
    for second, found in ((41, False), (42, True)):
        so_far = replace(idle, observations=idle.observations[: second + 1], load_off=None)
        assert (Kind.SIGNAL_LOST in kinds(so_far)) is found
    busy = replace(good(ONE), observations=good(ONE).observations[:46], load_off=None)
    assert Kind.SIGNAL_LOST not in kinds(busy)


def test_what_the_runbook_itself_asked_for_is_no_wrong_reason() -> None:
    quiet = seen(good(), alarm("high", OK, 0))
    ours = tuple(replace(event, by_check=True) for event in quiet.signals)
    assert Kind.WRONG_REASON not in kinds(replace(quiet, signals=ours))


def test_an_alarm_that_was_up_before_the_step_began_is_its_reason() -> None:
    assert Kind.WRONG_REASON not in kinds(seen(good(), alarm("high", OK, 24, 45)))


def test_an_alarm_of_long_ago_is_no_reason() -> None:
    assert Kind.WRONG_REASON in kinds(seen(good(), alarm("high", OK, 25)))


def test_heat_s_own_words_count_most() -> None:
    other = "alarm state changed from alarm to insufficient data (2 datapoints are unknown)"
    assert Kind.WRONG_REASON in kinds(replace(good(), signals=(PolicySignal(at(28), "up", other),)))


def test_an_event_from_before_anybody_looked_is_judged_by_heat_s_words_alone() -> None:
    assert Kind.WRONG_REASON not in kinds(replace(good(), signals=(PolicySignal(at(-500), "down", REASON),)))


def test_a_metric_that_has_not_come_yet_is_not_missed() -> None:
    young = replace(good(), granularities_s=None)
    young = replace(young, observations=young.observations[:10])
    assert Kind.NO_GRANULARITY not in kinds(young)


def test_on_osp_8_there_is_no_archive_policy_to_miss() -> None:
    assert kinds(replace(good(), granularities_s=())) == set()


def test_a_threshold_that_is_off_by_a_rounding_is_right() -> None:
    assert kinds(replace(good(), alarm_thresholds=Thresholds(2.5e9 + 1, 0.5e9 - 1))) == set()


def test_an_alarm_may_come_again_once_the_size_has_changed() -> None:
    assert Kind.FLAPPING not in kinds(seen(good(), alarm("high", OK, 25, 29)))


def test_the_idle_group_s_low_alarm_may_come_before_the_load_is_measured() -> None:
    assert Kind.FLAPPING not in kinds(seen(good(), alarm("low", NO_DATA, 0, 12)))


def test_a_member_that_is_reached_in_time_was_never_out_of_reach() -> None:
    assert kinds(seen(good(), member("b", 28, 33, unreachable="connection refused", load_processes=None))) == set()


def test_a_policy_without_the_rate_is_named_and_nobody_is_sent_to_metricd() -> None:
    silent = seen(good(), from_second(0, measured_at=None))
    (finding,) = judge(replace(silent, policy_without_rate="low")).findings
    assert (finding.kind, finding.at) == (Kind.NO_GRANULARITY, None)
    assert "archive policy low keeps no rate:mean of cpu" in finding.sentence


@pytest.mark.parametrize(
    ("stepped", "said"), [(True, "fell into the cooldown"), (False, "was dropped or lost; or Heat")]
)
def test_a_signal_that_is_given_once_is_told_as_that(stepped: bool, said: str) -> None:
    stuck = replace(seen(good(TWO), alarm("high", ALARM, 20)), signal_once=frozenset({"high"}))
    stuck = stuck if stepped else replace(seen(good(ONE), alarm("high", ALARM, 20)), signal_once=frozenset({"high"}))
    (finding,) = [finding for finding in judge(stuck).findings if finding.kind is Kind.SIGNAL_LOST]
    assert said in finding.sentence


def test_time_constraints_are_told_where_an_alarm_does_not_come_up() -> None:
    busy = replace(seen(quiet(), member("a", 0, cpu_percent=100.0)), time_constraints={"high": ("night: from 0 22",)})
    (finding,) = [finding for finding in judge(busy).findings if finding.kind is Kind.ALARM_NOT_RAISED]
    assert "within its time constraints alone (night: from 0 22); otherwise see whether" in finding.sentence
