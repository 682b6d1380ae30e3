"""How often the cloud is asked, and how long a check rests so that it isn't more than once a second."""

import pytest

from blocks.remote.cloud_session import CallCount
from tasks.autoscaling.watching.call_rate import CallRate


@pytest.mark.parametrize(
    ("total", "seconds", "rest_s"),
    [(0, 0, 5), (5, 1, 9), (20, 30, 0), (25, 30, 0), (26, 30, 1), (60, 60, 5)],
)
def test_a_look_waits_until_the_mean_allows_it(total: int, seconds: float, rest_s: float) -> None:
    assert CallRate(total, seconds).rest_s == rest_s


def test_what_was_saved_before_may_be_spent() -> None:
    saved = CallRate(20, 60)
    assert saved.plus(CallCount(100, 0, 0), CallCount(130, 20, 0)).rest_s == 0
    assert saved.plus(CallCount(100, 0, 0), CallCount(160, 20, 0)).rest_s == 5


def test_nothing_asked_is_said_so() -> None:
    assert str(CallRate()) == "The cloud was not asked."
    assert "30 times in 60 s: 30 calls a minute" in str(CallRate(30, 60))
    assert str(CallRate(2, 0.2)).endswith("was asked 2 times in 0 s.")
