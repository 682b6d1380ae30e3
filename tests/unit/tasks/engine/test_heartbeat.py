"""One that hangs starves no other, and what is not proven to live stops the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

import tasks.engine.heartbeat
from blocks.remote.errors import LockLost, RunbookError
from tasks.engine.heartbeat import Heartbeat, Renewal


class Lock:
    """Something that is kept alive.

    Attributes:
        beats: Counts them; released once each.
    """

    def __init__(self, name: str, hangs: threading.Event | None = None, error: Exception | None = None) -> None:
        self.name, self._hangs, self._error = name, hangs, error
        self.beats = threading.Semaphore(0)

    def beat(self) -> float:
        self.beats.release()
        if self._hangs is not None:
            self._hangs.wait()
        if self._error is not None:
            raise self._error
        return 0.01

    def check(self) -> None:
        if self._hangs is not None:
            raise LockLost(self.name, "no sign of life")


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Lets go, at the end of the test, of what hangs."""
    event = threading.Event()
    yield event
    event.set()


def beats(lock: Lock, count: int) -> bool:
    return all(lock.beats.acquire(timeout=5) for _ in range(count))


def test_a_server_that_hangs_does_not_starve_the_hosts_locks(released: threading.Event) -> None:
    """A suspended laptop, a stalled tunnel."""
    server, host = Lock("server", hangs=released), Lock("controller-0")
    heartbeat = Heartbeat([server, host])
    assert beats(server, 1)
    assert beats(host, 20)
    released.set()
    heartbeat.stop()


def test_a_check_does_not_wait_for_a_beat_that_hangs(released: threading.Event) -> None:
    heartbeat = Heartbeat([Lock("controller-0", hangs=released)])
    with pytest.raises(LockLost, match="no sign of life"):
        heartbeat.check()
    released.set()
    heartbeat.stop()


def test_what_nobody_foresaw_does_not_end_the_beating() -> None:
    lock = Lock("controller-0", error=ZeroDivisionError("what"))
    heartbeat = Heartbeat([lock])
    assert beats(lock, 1)
    assert all(thread.is_alive() for thread in heartbeat._threads)
    heartbeat.stop()


def test_after_the_end_nothing_beats() -> None:
    lock = Lock("controller-0")
    heartbeat = Heartbeat([lock])
    assert beats(lock, 3)
    heartbeat.stop()
    assert not any(thread.is_alive() for thread in heartbeat._threads)


def test_what_is_kept_for_a_while_is_checked_and_renewed_for_that_while_alone() -> None:
    renewed = threading.Event()
    heartbeat, timer = Heartbeat([]), Renewal("the timer", renewed.set, every_s=0.01, within_s=0.0)
    with heartbeat.keeping([timer]):
        assert renewed.wait(5)
        assert timer in heartbeat._kept
    assert heartbeat._kept == []
    heartbeat.check()
    heartbeat.stop()
    assert not any(thread.is_alive() for thread in heartbeat._threads)


def test_a_renewal_under_way_is_over_before_what_follows_the_block() -> None:
    """A cleanup's timer that is armed again after the cleanup would clean up once more, ten minutes later."""
    begun, done = threading.Event(), threading.Event()

    def renew() -> None:
        begun.set()
        time.sleep(0.2)
        done.set()

    heartbeat = Heartbeat([])
    with heartbeat.keeping([Renewal("the timer", renew)]):
        assert begun.wait(5)
    assert done.is_set()
    heartbeat.stop()


def test_what_could_not_be_renewed_in_time_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(tasks.engine.heartbeat, "since_boot", lambda: now[0])
    fails = [False]

    def renew() -> None:
        if fails[0]:
            raise RunbookError("controller-0: gone")

    renewal = Renewal("the timer", renew, within_s=300)
    now[0] += 299
    renewal.beat()
    fails[0] = True
    now[0] += 299
    renewal.beat()
    renewal.check()
    now[0] += 2
    with pytest.raises(RunbookError, match="the timer was not renewed for 301 s: controller-0: gone"):
        renewal.check()
    fails[0] = False
    renewal.beat()
    renewal.check()
