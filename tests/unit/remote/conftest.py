"""What the tests of `blocks.remote` share."""

import pytest

from blocks.remote import secrets
from tests.unit.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock(monkeypatch)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A secret that is registered for the time of one test."""
    monkeypatch.setattr(secrets, "_known", set())
    return secrets.register("Tr0ub4dor&3")
