"""An answer is kept as long as it holds, and no longer."""

from __future__ import annotations

from itertools import count

from tasks.autoscaling.watching.timed_cache import TimedCache
from tests.unit.fakes import FakeClock


def test_an_answer_is_asked_for_again_once_it_may_have_changed(clock: FakeClock) -> None:
    answers = count(1)
    kept = TimedCache[int](5)
    seen = []
    for _ in range(4):
        seen.append(kept.get(lambda: next(answers)))
        clock.now += 2.5
    assert seen == [1, 1, 2, 2]


def test_what_has_happened_makes_it_void_at_once(clock: FakeClock) -> None:
    answers = count(1)
    kept = TimedCache[int](5)
    assert [kept.get(lambda: next(answers), refresh=anew) for anew in (False, True, False)] == [1, 2, 2]
