"""What holds for every unit test."""

import socket
from typing import Any, NoReturn

import pytest


class NetworkUsed(AssertionError):
    """A unit test tried to connect to something."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that opens a connection; pipes and socket pairs within the process are left alone."""

    def refuse(unconnected: socket.socket, address: Any) -> NoReturn:
        unconnected.close()  # who wanted it expects an OSError, and would leave it open
        raise NetworkUsed(f"a unit test tried to connect to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
