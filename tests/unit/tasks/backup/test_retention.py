"""What stays: by examples, and by histories that nobody would think of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.store import Retention
from tasks.backup.manifest import Kind
from tasks.backup.retention import Backup, Decision, decide
from tests.unit.tasks.backup.samples import LOGICAL, PHYSICAL, START

ONE = frozenset({LOGICAL})
NOTHING = Retention(last=1, daily=0, weekly=0, monthly=0, minimum_verified=1)


def nightly(count: int, verified: Sequence[bool] | None = None, start: datetime = START) -> list[Backup]:
    """A backup every night; by default all of them verified."""
    good = verified or [True] * count
    return [
        Backup(str(number), start + timedelta(days=number), ONE, ONE if good[number] else frozenset())
        for number in range(count)
    ]


def kept(history: Sequence[Backup], policy: Retention) -> list[str]:
    return [each.id for each in decide(history, policy) if each.kept]


def reasons(history: Sequence[Backup], policy: Retention) -> dict[str, tuple[str, ...]]:
    return {each.id: each.reasons for each in decide(history, policy)}


def test_last_daily_weekly_and_monthly_are_counted_in_utc() -> None:
    # From Monday, 2 November, on: 60 nights to Thursday, 31 December.
    history = nightly(60, start=datetime(2026, 11, 2, 23, 59, tzinfo=UTC))
    policy = Retention(last=1, daily=3, weekly=3, monthly=3, minimum_verified=1)
    # 31, 30, 29 December; the Sundays 27 and 20 December; 30 November.
    assert kept(history, policy) == ["28", "48", "55", "57", "58", "59"]
    told = reasons(history, policy)
    assert told["28"] == ("monthly: one of 3",)
    assert told["59"][:2] == (f"the latest {LOGICAL}", f"the latest verified {LOGICAL}")
    assert told["0"] == ("the policy does not count it",)


def test_a_week_is_iso_s_and_goes_over_the_new_year() -> None:
    # Thursday, 31 December 2026, to Monday, 4 January 2027: week 53 of 2026 ends on 3 January.
    history = nightly(5, start=datetime(2026, 12, 31, 1, tzinfo=UTC))
    assert kept(history, Retention(last=1, daily=0, weekly=2, monthly=0, minimum_verified=1)) == ["3", "4"]


def test_several_of_one_day_count_as_one() -> None:
    history = [Backup(str(hour), START + timedelta(hours=hour), ONE, ONE) for hour in range(6)]
    assert kept(history, Retention(last=1, daily=5, weekly=0, monthly=0, minimum_verified=1)) == ["5"]


def test_nights_without_a_verified_backup_are_not_counted() -> None:
    history = nightly(6, [True, True, False, False, False, True])
    assert kept(history, Retention(last=3, daily=0, weekly=0, monthly=0, minimum_verified=1)) == ["0", "1", "5"]
    assert reasons(history, NOTHING)["3"] == ("never verified, and later ones of its kind are",)


def test_nothing_goes_while_the_latest_is_not_verified() -> None:
    history = nightly(5, [True, True, True, True, False])
    assert kept(history, NOTHING) == ["0", "1", "2", "3", "4"]
    assert reasons(history, NOTHING)["0"] == ("4, which is later, is not verified",)


def test_of_one_that_differed_at_its_last_restore_nothing_is_made() -> None:
    """It was verified once, and is no more."""
    assert kept(nightly(3, [False, False, False]), NOTHING) == ["0", "1", "2"]


def test_a_pinned_one_that_nobody_has_verified_keeps_those_before_it() -> None:
    history = nightly(4, [True, False, True, True])
    pinned = [history[0], Backup("1", history[1].started, ONE, pinned=True), *history[2:]]
    assert kept(pinned, NOTHING) == ["0", "1", "3"]


def test_a_minimum_of_verified_ones_stays() -> None:
    assert kept(nightly(5), NOTHING.model_copy(update={"minimum_verified": 4})) == ["1", "2", "3", "4"]


def test_what_another_depends_on_stays() -> None:
    full, middle, last = nightly(3)
    chain = [full, Backup("1", middle.started, ONE, ONE, depends_on=frozenset({"0"})), last]
    assert kept(chain, NOTHING) == ["2"]
    chain[2] = Backup("2", last.started, ONE, ONE, depends_on=frozenset({"1"}))
    assert kept(chain, NOTHING) == ["0", "1", "2"]
    assert "1 depends on it" in reasons(chain, NOTHING)["0"]


def test_kinds_are_counted_by_themselves() -> None:
    other = frozenset({PHYSICAL})
    history = [Backup("0", START, other, other), *(Backup(str(n), START, ONE, ONE) for n in range(1, 4))]
    assert kept(history, NOTHING) == ["0", "3"]
    both = ONE | other
    half = [Backup("0", START, both, both), Backup("1", START, both, ONE), Backup("2", START, ONE, ONE)]
    assert kept(half, NOTHING) == ["0", "1", "2"]  # of the physical ones, 0 is the last verified, and 1 is not


def test_a_clock_that_was_wrong_for_a_night_costs_nothing() -> None:
    history = nightly(6)
    wrong = Backup("2", datetime(2036, 1, 1, tzinfo=UTC), ONE, ONE)
    jumped = [*history[:2], wrong, *history[3:]]
    policy = Retention(last=1, daily=3, weekly=0, monthly=0, minimum_verified=1)
    assert kept(jumped, policy) == kept(history, policy) == ["3", "4", "5"]


def test_what_holds_no_backup_of_a_database_stays() -> None:
    assert reasons([Backup("0", START, frozenset())], NOTHING) == {"0": ("it holds nothing that retention knows of",)}


def test_one_with_which_something_is_wrong_counts_for_nothing_and_stays_with_what_it_needs() -> None:
    first, second, third, fourth = nightly(4)
    damaged = replace(second, verified=frozenset(), depends_on=frozenset({"0"}), problem="its manifest is missing")
    assert kept([first, damaged, third, fourth], NOTHING) == ["0", "1", "3"]
    assert kept([first, replace(damaged, depends_on=frozenset()), third, fourth], NOTHING) == ["1", "3"]
    assert kept([first, third, replace(fourth, problem="its manifest is missing")], NOTHING) == ["2", "3"]


@pytest.mark.parametrize("count", ["last", "minimum_verified"])
def test_a_policy_that_could_keep_nothing_is_none(count: str) -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Retention.model_validate({count: 0})


KINDS = [Kind(f"backup-{database}", database, method) for database in ("a", "b") for method in ("logical", "physical")]


@st.composite
def histories(draw: st.DrawFn) -> list[Backup]:
    """Nights of which some failed, on a clock that somebody sets, with sets that depend on earlier ones."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    history: list[Backup] = []
    for number in range(draw(st.integers(0, 25))):
        hours = draw(st.one_of(st.integers(1, 72), st.integers(-24 * 400, 24 * 400)))
        moment = max(moment + timedelta(hours=hours), datetime(1990, 1, 1, tzinfo=UTC))
        if draw(st.integers(0, 9)) == 0:
            continue  # a set that never closed: it is none
        kinds = frozenset(draw(st.sets(st.sampled_from(KINDS), max_size=3)))
        verified = frozenset(draw(st.sets(st.sampled_from(sorted(kinds)))) if kinds else ())
        needs = frozenset(draw(st.sets(st.sampled_from([each.id for each in history]), max_size=2)) if history else ())
        name = f"s{number}{draw(st.sampled_from(['', '.sql.zst', '.sql.gz.age', '.xb']))}"
        history.append(Backup(name, moment, kinds, verified, draw(st.integers(0, 7)) == 0, needs))
    return history


counts = st.integers(0, 5)
policies = st.builds(
    Retention, last=st.integers(1, 5), daily=counts, weekly=counts, monthly=counts, minimum_verified=st.integers(1, 5)
)
anything = given(histories(), policies)


def split(history: list[Backup], decisions: list[Decision]) -> tuple[list[Backup], list[Backup]]:
    """Those that stay, and those that go."""
    stays = {each.id for each in decisions if each.kept}
    return [each for each in history if each.id in stays], [each for each in history if each.id not in stays]


@anything
def test_each_is_decided_once_with_a_reason(history: list[Backup], policy: Retention) -> None:
    decisions = decide(history, policy)
    assert [each.id for each in decisions] == [each.id for each in history]
    assert all(each.reasons for each in decisions)
    assert all(len(each.reasons) == 1 for each in decisions if not each.kept)


@anything
def test_the_last_verified_of_each_kind_stays(history: list[Backup], policy: Retention) -> None:
    stays, _ = split(history, decide(history, policy))
    for kind in KINDS:
        verified = [each for each in history if kind in each.verified]
        assert [each for each in verified if each in stays][-policy.minimum_verified :] == verified[
            -policy.minimum_verified :
        ]


@anything
def test_no_pinned_one_and_none_that_is_needed_goes(history: list[Backup], policy: Retention) -> None:
    stays, goes = split(history, decide(history, policy))
    assert not any(each.pinned for each in goes)
    assert not {each.id for each in goes} & {need for each in stays for need in each.depends_on}


@anything
def test_none_goes_while_a_later_one_of_its_kind_is_not_verified(history: list[Backup], policy: Retention) -> None:
    stays, goes = split(history, decide(history, policy))
    for gone in goes:
        later = history[history.index(gone) + 1 :]
        assert not any(each.unverified & gone.kinds for each in later if each in stays)
        for kind in gone.kinds:
            assert kind in [each for each in history if kind in each.kinds][-1].verified


@anything
def test_where_nothing_is_verified_nothing_goes(history: list[Backup], policy: Retention) -> None:
    unverified = [Backup(each.id, each.started, each.kinds) for each in history]
    assert split(unverified, decide(unverified, policy))[1] == []


@anything
def test_what_stays_stays_when_it_is_decided_again(history: list[Backup], policy: Retention) -> None:
    stays, _ = split(history, decide(history, policy))
    assert split(stays, decide(stays, policy))[1] == []


@given(histories(), policies, st.sampled_from(["last", "daily", "weekly", "monthly", "minimum_verified"]))
def test_to_keep_more_removes_no_more(history: list[Backup], policy: Retention, count: str) -> None:
    more = policy.model_copy(update={count: getattr(policy, count) + 1})
    assert set(kept(history, policy)) <= set(kept(history, more))


@anything
def test_what_the_policy_counts_is_there(history: list[Backup], policy: Retention) -> None:
    """Nothing of a kind falls below what the policy counts because of what other kinds, or unverified ones, do."""
    stays, _ = split(history, decide(history, policy))
    for kind in KINDS:
        verified = [each for each in history if kind in each.verified]
        days = list(dict.fromkeys(each.started.date() for each in reversed(verified)))[: policy.daily]
        assert set(days) <= {each.started.date() for each in stays if kind in each.verified}
        assert len([each for each in stays if kind in each.verified]) >= min(policy.last, len(verified))
