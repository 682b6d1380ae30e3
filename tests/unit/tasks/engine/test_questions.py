"""Questions that are asked at once, and what becomes of those that have no answer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NoReturn

import pytest

from blocks.remote.errors import HostError, Refused
from tasks.engine.checks import Check
from tasks.engine.questions import Questions


def fail(error: BaseException) -> NoReturn:
    raise error


def test_questions_are_under_way_at_the_same_time_and_no_more_than_allowed() -> None:
    meet = threading.Barrier(2, timeout=10)
    under_way, most, lock = 0, 0, threading.Lock()

    def look() -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        met = meet.wait()
        with lock:
            under_way -= 1
        return met

    with Questions([], at_once=2) as questions:
        answers = [questions.ask("VIP", look) for _ in range(4)]
    assert sorted(answer.value for answer in answers) == [0, 0, 1, 1]
    assert most == 2


def test_checks_come_in_the_order_of_the_questions_whichever_is_answered_first() -> None:
    later, before = threading.Event(), Check("lock", "", "free")
    checks = [before]

    def slow() -> NoReturn:
        assert later.wait(10)
        raise HostError("controller-0", "no VIP")

    def quick() -> str:
        later.set()
        return "an answer"

    with Questions(checks) as questions:
        first = questions.ask("VIP", slow)
        second = questions.ask("dump", lambda: fail(Refused("x", ["a", "b"])))
        third = questions.ask("journal", quick)
    assert checks == [
        before,
        Check("VIP", "controller-0", "", "no VIP"),
        Check("dump", "", "", "a"),
        Check("dump", "", "", "b"),
    ]
    assert (first.known, second.known, third.known) == (None, None, "an answer")
    assert not first.there


def test_what_nobody_foresaw_is_a_reason_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    checks: list[Check] = []
    with Questions(checks) as questions:
        questions.ask("VIP", lambda: fail(KeyError("password=Swordfish-3")))
        questions.ask("dump", lambda: fail(HostError("controller-0", "no dump")))
    unforeseen, dump = checks
    assert dump == Check("dump", "controller-0", "", "no dump")
    assert unforeseen.name == "VIP"
    assert unforeseen.reason.startswith("something that nobody foresaw")
    (kept,) = (tmp_path / "openstack-runbooks/unforeseen").iterdir()
    assert str(kept) in unforeseen.hint
    assert "test_questions.py" in kept.read_text()
    assert "Swordfish" not in kept.read_text() + str(unforeseen)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_signal_is_no_reason() -> None:
    with pytest.raises(KeyboardInterrupt), Questions([]) as questions:
        questions.ask("VIP", lambda: fail(KeyboardInterrupt()))
