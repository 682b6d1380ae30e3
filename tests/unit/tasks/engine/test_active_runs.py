"""Whether a run that left its name on something is at work: by its state and its site's lock."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.exceptions import ObjectNotFound

import tasks.engine.active_runs
from tasks.engine.active_runs import at_work

RUN = "0f0f5f4e-6f6a-4f0e-9a57-0d6b7a5a0d11"


class FakeServer:
    """A Prefect server with one flow run and the lock of its site."""

    def __init__(self, final: bool = False, slots: int | None = 1, holder: str = RUN, knows: bool = True) -> None:
        self._final, self._slots, self._knows = final, slots, knows
        self.holder = json.dumps({"lease": "1", "run": holder})

    def read_flow_run(self, run: UUID) -> Any:
        assert run == UUID(RUN)
        if not self._knows:
            raise ObjectNotFound(Exception("404"))
        state = SimpleNamespace(is_final=lambda: self._final)
        return SimpleNamespace(name="tidy-owl", parameters={"site": "my-site"}, state=state, state_name="Running")

    def read_global_concurrency_limit_by_name(self, name: str) -> Any:
        assert name == "runbook-my-site"
        if self._slots is None:
            raise ObjectNotFound(Exception("404"))
        return SimpleNamespace(active_slots=self._slots)

    def get(self, name: str, default: str) -> str:
        assert name == "runbook_lease_my_site"
        return self.holder or default


def asked(monkeypatch: pytest.MonkeyPatch, server: FakeServer) -> str:
    monkeypatch.setattr(tasks.engine.active_runs, "get_client", lambda sync_client: nullcontext(server))
    monkeypatch.setattr(tasks.engine.active_runs, "Variable", server)
    return at_work(RUN)


def test_a_run_that_holds_its_sites_lock_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, FakeServer()) == f"flow run tidy-owl ({RUN}) on site my-site, Running"


@pytest.mark.parametrize(
    "server",
    [FakeServer(final=True), FakeServer(slots=0), FakeServer(slots=None), FakeServer(holder=str(uuid4()))],
    ids=["ended", "lease over", "site gone", "lock taken by another"],
)
def test_a_run_that_has_ended_or_lost_its_lock_is_not(monkeypatch: pytest.MonkeyPatch, server: FakeServer) -> None:
    assert asked(monkeypatch, server) == ""


def test_a_run_of_another_server_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, FakeServer(knows=False)) == f"flow run {RUN}, which this Prefect server does not know"
