"""A wait has a subject, a deadline on a clock, and says what it saw last and for how long."""

from itertools import pairwise

import pytest

from blocks.remote.errors import ConnectionLost, WaitExpired
from blocks.remote.waiting import wait_until
from tests.unit.fakes import FakeClock

SUBJECT = "wsrep_local_state_comment"


def test_returns_at_once_where_it_is_so_already(clock: FakeClock) -> None:
    assert wait_until("controller-1", SUBJECT, "Synced", lambda: "Synced", 60) == "Synced"
    assert clock.now == 1000.0


def test_looks_until_it_is_so(clock: FakeClock) -> None:
    seen = iter(["Initialized", "Joining", "Joined", "Synced", "never asked for"])
    assert wait_until("controller-1", SUBJECT, "Synced", lambda: next(seen), 60, every_s=2) == "Synced"
    assert clock.now == pytest.approx(1000.0 + 0.1 + 0.2 + 0.4)
    assert next(seen) == "never asked for"


def test_looks_soon_at_first_and_then_at_its_pace(clock: FakeClock) -> None:
    looks: list[float] = []

    def look() -> str:
        looks.append(clock.now)
        return str(len(looks))

    wait_until("controller-1", SUBJECT, "8", look, 60, every_s=2)
    assert [round(after - before, 1) for before, after in pairwise(looks)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_keeps_a_steady_pace_where_a_look_costs_something(clock: FakeClock) -> None:
    seen = iter(["a", "b", "c", "d"])
    wait_until("cloud", SUBJECT, "d", lambda: next(seen), 60, every_s=5, steady=True)
    assert clock.now == 1015.0


def test_says_where_what_and_for_how_long_when_it_never_comes(clock: FakeClock) -> None:
    def look() -> str:
        return "Initialized" if clock.now < 1050 else "Joining"

    with pytest.raises(WaitExpired) as expired:
        wait_until("controller-1", SUBJECT, "Synced", look, 1800, every_s=0.1, hint="see the donor's log")
    assert str(expired.value) == (
        "controller-1: wsrep_local_state_comment never became 'Synced' within 30:00 min; last seen 'Joining', "
        "for 29:10 min\nHINT: see the donor's log"
    )
    assert expired.value.host == "controller-1"


def test_the_time_counts_from_the_last_change(clock: FakeClock) -> None:
    turns = iter(["a", "b"] * 100)
    with pytest.raises(WaitExpired, match=r"last seen '[ab]', for 0:00 min"):
        wait_until("x", "it", "c", lambda: next(turns), 60, every_s=5)


@pytest.mark.parametrize("within_s", [0.5, 3, 90])
def test_gives_up_by_its_deadline_and_never_after_it(clock: FakeClock, within_s: float) -> None:
    with pytest.raises(WaitExpired):
        wait_until("x", "it", "yes", lambda: "no", within_s, every_s=2)
    assert clock.now <= 1000.0 + within_s


def test_looks_at_least_once(clock: FakeClock) -> None:
    assert wait_until("x", "it", "yes", lambda: "yes", 0) == "yes"


def test_an_error_of_the_look_is_passed_on_since_a_wait_is_no_retry(clock: FakeClock) -> None:
    asked = []

    def look() -> str:
        asked.append(1)
        raise ConnectionLost("controller-1", "it is gone")

    with pytest.raises(ConnectionLost):
        wait_until("controller-1", "it", "yes", look, 60)
    assert len(asked) == 1


def test_another_judgement_than_equality_can_be_given(clock: FakeClock) -> None:
    seen = iter(["running", "running", "failed"])
    assert wait_until("x", "it", "ended", lambda: next(seen), 60, satisfied=lambda word: word != "running") == "failed"
