"""Of scheduled runs that are late, all but the latest do nothing; and whoever starts one by hand gets it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect.exceptions import ObjectNotFound

import tasks.engine.scheduled_runs
from tasks.engine.scheduled_runs import later_run

RUN = "0f0f5f4e-6f6a-4f0e-9a57-0d6b7a5a0d11"
DUE = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
DEPLOYMENT = UUID(int=7)


def run(nights: int = 0, **changes: Any) -> Any:
    """A scheduled run, due so many nights after ours."""
    state = SimpleNamespace(is_cancelled=lambda: False, is_cancelling=lambda: False)
    known: dict[str, Any] = {
        "name": f"night-{nights}",
        "auto_scheduled": True,
        "deployment_id": DEPLOYMENT,
        "expected_start_time": DUE + timedelta(days=nights),
        "parameters": {"site": "lab"},
        "state": state,
    }
    return SimpleNamespace(**(known | changes))


class FakeServer:
    """A Prefect server with our run, and others of the same deployment."""

    def __init__(self, mine: Any, *others: Any) -> None:
        self._mine, self._others = mine, others

    def read_flow_run(self, run_id: UUID) -> Any:
        assert run_id == UUID(RUN)
        if isinstance(self._mine, Exception):
            raise self._mine
        return self._mine

    def read_flow_runs(self, flow_run_filter: FlowRunFilter, limit: int) -> list[Any]:
        asked = flow_run_filter.model_dump(exclude_none=True)
        assert asked["deployment_id"]["any_"] == [DEPLOYMENT]
        assert limit <= 200
        until = asked["expected_start_time"]["before_"]
        return [other for other in self._others if other.expected_start_time <= until]


def later(monkeypatch: pytest.MonkeyPatch, *server: Any, nights: int = 3) -> str:
    monkeypatch.setattr(tasks.engine.scheduled_runs, "get_client", lambda sync_client: nullcontext(FakeServer(*server)))
    return later_run(RUN, DUE + timedelta(days=nights, minutes=5))


def test_after_nights_without_a_worker_the_latest_alone_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = [run(number) for number in range(4)]
    assert [later(monkeypatch, mine, *nights) != "" for mine in nights] == [True, True, True, False]


def test_a_run_of_tomorrow_replaces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert later(monkeypatch, run(), run(), run(1), nights=0) == ""


@pytest.mark.parametrize(
    "other",
    [
        run(1, parameters={"site": "prod"}),
        run(1, auto_scheduled=False),
        run(1, state=SimpleNamespace(is_cancelled=lambda: True, is_cancelling=lambda: False)),
        run(1, state=SimpleNamespace(is_cancelled=lambda: False, is_cancelling=lambda: True)),
    ],
    ids=["another site", "by hand", "cancelled", "being cancelled"],
)
def test_a_run_that_does_something_else_replaces_nothing(monkeypatch: pytest.MonkeyPatch, other: Any) -> None:
    assert later(monkeypatch, run(), other) == ""


@pytest.mark.parametrize("mine", [run(auto_scheduled=False), run(deployment_id=None)], ids=["by hand", "no deployment"])
def test_a_run_that_somebody_has_started_is_carried_out(monkeypatch: pytest.MonkeyPatch, mine: Any) -> None:
    assert later(monkeypatch, mine, run(1)) == ""


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), ObjectNotFound(Exception("404"))])
def test_a_server_that_can_not_be_asked_hinders_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    assert later(monkeypatch, error) == ""
    assert "whether a later run is due could not be asked for" in caplog.text
