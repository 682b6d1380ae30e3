"""A Prefect server that is away stops no run; one whose slot somebody else holds now does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

import tasks.engine.server_lock
from blocks.remote.errors import Busy, RunbookError
from tasks.engine.server_lock import AGAIN_S, EVERY_S, ServerLock

ME, OTHER = uuid4(), uuid4()
AWAY = [httpx.ConnectError("refused"), httpx.ReadTimeout("hangs"), httpx.RemoteProtocolError("closed"), 500, 503]


def status(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://192.0.2.1/api")
    answer = httpx.Response(code, request=request)
    return PrefectHTTPStatusError.from_httpx_error(httpx.HTTPStatusError(str(code), request=request, response=answer))


class Server:
    """A Prefect server with one site's lock.

    Attributes:
        holder: The lease that holds the slot; None while it is free.
        variable: What the variable says.
        ended: The flow runs that have ended.
        away: What every request ends in, if anything.
        known: Whether it has the site's limit.
        ghost: A lease that can be renewed, and holds nothing.
    """

    def __init__(self) -> None:
        self.holder: UUID | None = None
        self.variable: str | None = None
        self.ended: set[UUID] = set()
        self.away: Exception | int | None = None
        self.known = True
        self.ghost: UUID | None = None

    def _answer(self) -> None:
        if self.away is not None:
            raise status(self.away) if isinstance(self.away, int) else self.away

    def read_global_concurrency_limit_by_name(self, name: str) -> Any:
        self._answer()
        assert name == "runbook-my-site"
        if not self.known:
            raise ObjectNotFound(Exception("404"))
        return SimpleNamespace(active_slots=0 if self.holder is None else 1)

    def increment_concurrency_slots_with_lease(self, *_: object) -> Any:
        self._answer()
        if self.holder is not None:
            raise status(423)
        self.holder = uuid4()
        return SimpleNamespace(json=lambda: {"lease_id": str(self.holder)})

    def renew_concurrency_lease(self, lease: UUID, _: float) -> None:
        self._answer()
        if lease not in {self.holder, self.ghost}:
            raise status(410)

    def release_concurrency_slots_with_lease(self, lease: UUID) -> None:
        self._answer()
        if lease == self.holder:
            self.holder = None

    def read_variable_by_name(self, name: str) -> Any:
        self._answer()
        assert name == "runbook_lease_my_site"
        return None if self.variable is None else SimpleNamespace(value=self.variable)

    def create_variable(self, variable: Any) -> None:
        self._answer()
        assert self.variable is None
        self.variable = variable.value

    def update_variable(self, variable: Any) -> None:
        self._answer()
        assert self.variable is not None
        self.variable = variable.value

    def read_flow_run(self, run: UUID) -> Any:
        self._answer()
        state = SimpleNamespace(is_final=lambda: run in self.ended)
        return SimpleNamespace(name="tidy-owl", state=state, state_name="Running")

    def is_held_by(self, run: UUID) -> None:
        """Another run holds the slot."""
        self.holder = uuid4()
        self.variable = json.dumps({"lease": str(self.holder), "run": str(run)})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    there = Server()

    @contextmanager
    def client(retries: int) -> Iterator[Server]:
        yield there

    monkeypatch.setattr(tasks.engine.server_lock, "_server", client)
    monkeypatch.setattr(tasks.engine.server_lock, "GRACE_S", 0.0)
    return there


@pytest.fixture
def lock(server: Server) -> ServerLock:
    taken = ServerLock("my-site", ME)
    taken.take()
    return taken


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(tasks.engine.server_lock, "warn", said.append)
    return said


def test_a_free_slot_is_taken_and_named(server: Server, lock: ServerLock) -> None:
    assert json.loads(server.variable or "") == {"lease": str(server.holder), "run": str(ME)}
    assert lock.beat() == EVERY_S
    lock.check()


def test_what_is_given_back_is_free(server: Server, lock: ServerLock) -> None:
    lock.release()
    lock.release()
    assert (server.holder, server.variable) == (None, "{}")


def test_a_living_holder_is_named(server: Server) -> None:
    server.is_held_by(OTHER)
    with pytest.raises(Busy, match=f"site my-site .* flow run tidy-owl \\({OTHER}\\), Running"):
        ServerLock("my-site", ME).take()


def test_the_slot_of_a_run_that_has_ended_is_taken_over(server: Server) -> None:
    server.is_held_by(OTHER)
    server.ended.add(OTHER)
    ServerLock("my-site", ME).take()
    assert json.loads(server.variable or "")["run"] == str(ME)


def test_a_site_that_the_server_does_not_know_is_told(server: Server) -> None:
    server.known = False
    with pytest.raises(RunbookError, match="no lock for site my-site") as told:
        ServerLock("my-site", ME).take()
    assert "deployments apply" in told.value.hint


def test_a_server_that_does_not_answer_at_the_start_is_told(server: Server) -> None:
    server.away = httpx.ReadTimeout("hangs")
    with pytest.raises(RunbookError, match="can't be taken: the server does not answer"):
        ServerLock("my-site", ME).take()


@pytest.mark.parametrize("away", AWAY)
def test_a_server_that_is_away_stops_no_run(
    server: Server, lock: ServerLock, told: list[str], away: Exception | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For more than 15 minutes: the hosts' own locks hold off every other run."""
    now = [1000.0]
    monkeypatch.setattr(tasks.engine.server_lock, "since_boot", lambda: now[0])
    server.away = away
    while now[0] < 1000 + 30 * 60:
        assert lock.beat() == AGAIN_S
        lock.check()
        now[0] += 15
    server.away = None
    assert lock.beat() == EVERY_S
    lock.check()
    assert len(told) == 3, told
    assert ["does not answer" in told[0], "15 minutes" in told[1], "again after 1800 s" in told[2]] == [True] * 3


def test_a_lease_that_ran_out_meanwhile_is_taken_again(server: Server, lock: ServerLock) -> None:
    server.holder = None
    lock.beat()
    lock.check()
    assert json.loads(server.variable or "")["lease"] == str(server.holder)


def test_a_lease_that_was_taken_and_could_not_be_named_is_named_later(
    server: Server, lock: ServerLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the variable says another lease for ever, and a dead run's slot can't be given back by it."""
    server.holder = None
    with monkeypatch.context() as slow:
        slow.setattr(server, "update_variable", lambda _: (_ for _ in ()).throw(httpx.ReadTimeout("hangs")))
        assert lock.beat() == AGAIN_S
    taken = server.holder
    assert taken is not None
    assert lock.beat() == EVERY_S
    assert server.holder == taken
    assert json.loads(server.variable or "") == {"lease": str(taken), "run": str(ME)}


def test_a_lease_that_was_swept_up_while_it_was_renewed_is_no_lock(server: Server, lock: ServerLock) -> None:
    """Seen on a real server: a renewal that was under way wrote the lease anew, and the slot stayed free."""
    server.ghost, server.holder = server.holder, None
    lock.beat()
    lock.check()
    assert server.holder not in {None, server.ghost}
    assert json.loads(server.variable or "")["lease"] == str(server.holder)


def test_nor_is_it_where_another_run_has_the_slot(server: Server, lock: ServerLock) -> None:
    server.ghost = server.holder
    server.is_held_by(OTHER)
    lock.beat()
    with pytest.raises(Busy, match=str(OTHER)):
        lock.check()
    lock.release()
    assert server.holder is not None


def test_a_slot_that_another_run_has_now_stops_this_one(server: Server, lock: ServerLock, told: list[str]) -> None:
    server.is_held_by(OTHER)
    lock.beat()
    with pytest.raises(Busy, match=f"lost while the run went on.*{OTHER}"):
        lock.check()
    lock.release()
    assert json.loads(server.variable or "")["run"] == str(OTHER)


def test_a_slot_that_a_dead_run_has_now_is_taken_back(server: Server, lock: ServerLock) -> None:
    server.is_held_by(OTHER)
    server.ended.add(OTHER)
    lock.beat()
    lock.check()
    assert json.loads(server.variable or "")["run"] == str(ME)


def test_an_expired_lease_that_the_server_has_not_swept_up_is_no_other_run(server: Server, lock: ServerLock) -> None:
    server.holder = uuid4()  # the slot counts as taken, by nobody's lease; the variable still names us
    lock.beat()
    lock.check()
    server.holder = None
    lock.beat()
    assert json.loads(server.variable or "")["lease"] == str(server.holder)


def test_a_server_that_is_away_at_the_end_does_not_fail_the_run(
    server: Server, lock: ServerLock, told: list[str]
) -> None:
    server.away = httpx.ConnectError("refused")
    lock.release()
    assert "ends by itself" in told[0]
    server.away = None
    lock.beat()
    assert json.loads(server.variable or "")["run"] == str(ME)


def test_a_run_that_lost_its_slot_with_the_server_may_take_it_before_a_new_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server comes back; a run that waited for it is quicker than the one that is half way through a restore."""
    monkeypatch.setattr(tasks.engine.server_lock, "GRACE_S", 10.0)
    monkeypatch.setattr(time, "sleep", lambda _: server.is_held_by(OTHER))
    server.variable = json.dumps({"lease": str(uuid4()), "run": str(OTHER)})
    with pytest.raises(Busy, match=str(OTHER)):
        ServerLock("my-site", ME).take()


@pytest.mark.parametrize("ended", [False, True], ids=["it never comes", "it has ended"])
def test_a_holder_that_is_no_more_is_not_waited_for_longer(server: Server, ended: bool) -> None:
    server.variable = json.dumps({"lease": str(uuid4()), "run": str(OTHER)})
    if ended:
        server.ended.add(OTHER)
    ServerLock("my-site", ME).take()
    assert json.loads(server.variable or "")["run"] == str(ME)
