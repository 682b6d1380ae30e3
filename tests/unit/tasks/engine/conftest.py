"""Runs that are opened on hosts that are not there, and what they report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import tasks.engine.runbook
from blocks.site import Site
from tasks.engine.journal import Journal
from tests.unit.fakes import FakeShell
from tests.unit.tasks.engine.running import RUN_ID
from tests.unit.tasks.samples import HOSTS, SITE


@pytest.fixture
def shells() -> list[FakeShell]:
    return [FakeShell(name, otherwise="") for name in HOSTS]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, shells: list[FakeShell]) -> list[tuple[str, str, list[str]]]:
    """Runs are opened on the fake hosts; outcome, error and facts of each report are in the list."""
    reports: list[tuple[str, str, list[str]]] = []
    by_name = {shell.name: shell for shell in shells}

    def publish(
        entry: Journal, outcome: str, error: str = "", facts: Any = (), plan: str = "", checks: Any = ()
    ) -> None:
        reports.append((outcome, error, list(facts)))

    @contextmanager
    def locked(*_: object) -> Iterator[None]:
        yield None

    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN_ID)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__NAME", "restore-galera on lab")
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "1")
    monkeypatch.setattr(tasks.engine.runbook, "publish", publish)
    monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
    monkeypatch.setattr(tasks.engine.runbook, "load_site", lambda _: SITE)
    monkeypatch.setattr(Site, "shell", lambda _, host: by_name[host.name])
    return reports
