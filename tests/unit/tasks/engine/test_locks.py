"""All locks of a run are taken or none, and a run may wait for those that somebody else holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

import tasks.engine.locks
from blocks.remote.errors import Busy
from tasks.engine.locks import locked
from tests.unit.fakes import FakeClock

RUN = UUID(int=1)


class Site:
    """The locks of a site, that somebody else holds until some time."""

    def __init__(
        self, clock: FakeClock, patch: pytest.MonkeyPatch, server_until: float = 0, hosts_until: float = 0
    ) -> None:
        self.clock, self.began = clock, clock.now
        self.server_until, self.hosts_until = server_until, hosts_until
        self.held = 0
        patch.setattr(tasks.engine.locks, "ServerLock", lambda *_: self)
        patch.setattr(tasks.engine.locks, "hosts_locked", self._hosts)

    def take(self) -> None:
        if self.clock.now - self.began < self.server_until:
            raise Busy("another runbook holds the lock of site lab")
        assert self.held == 0
        self.held += 1

    def release(self) -> None:
        self.held -= 1

    @contextmanager
    def _hosts(self, *_: object) -> Iterator[Any]:
        if self.clock.now - self.began < self.hosts_until:
            raise Busy("another runbook is at work")
        yield self

    def keep(self, kept: object) -> None:
        assert kept is self


@pytest.mark.parametrize(("server_until", "hosts_until"), [(0, 0), (90, 0), (0, 90), (50, 90)])
def test_a_run_waits_until_both_are_free(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, server_until: float, hosts_until: float
) -> None:
    site = Site(clock, monkeypatch, server_until, hosts_until)
    with locked("lab", RUN, "me", [], 600):
        assert site.held == 1
        assert max(server_until, hosts_until) <= clock.now - site.began < 120
    assert site.held == 0


@pytest.mark.parametrize("wait_s", [0, 60])
def test_a_run_that_may_not_wait_longer_is_refused_and_holds_nothing(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, wait_s: float
) -> None:
    site = Site(clock, monkeypatch, hosts_until=1000)
    with pytest.raises(Busy, match="another runbook is at work"), locked("lab", RUN, "me", [], wait_s):
        raise AssertionError("it is not held")
    assert site.held == 0
    assert clock.now - site.began <= wait_s


def test_what_fails_while_they_are_held_lets_go_of_them(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(clock, monkeypatch)
    with pytest.raises(KeyError), locked("lab", RUN, "me", []):
        raise KeyError
    assert site.held == 0


def test_it_is_said_once_who_is_waited_for(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Site(clock, monkeypatch, server_until=200)
    with locked("lab", RUN, "me", [], 600):
        assert caplog.text.count("waiting: another runbook holds the lock of site lab") == 1
