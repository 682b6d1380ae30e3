"""What the tests of `tasks` share."""

from collections.abc import Iterator

import pytest
from prefect.logging import disable_run_logger

from blocks.remote import secrets
from tests.unit.fakes import FakeClock, LocalShell, without_engine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock(monkeypatch)


@pytest.fixture
def here() -> LocalShell:
    return LocalShell()


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", set())


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Prefect's tasks are called as plain functions, and log nothing."""
    without_engine(monkeypatch)
    with disable_run_logger():
        yield
