"""The guard against connections works: a check that cannot fail is a defect."""

import asyncio
import socket

import pytest

from tests.unit.conftest import NetworkUsed


def test_a_connection_fails() -> None:
    with socket.socket() as client, pytest.raises(NetworkUsed, match=r"127\.0\.0\.1"):
        client.connect(("127.0.0.1", 9))


def test_a_connection_of_the_standard_library_fails() -> None:
    with pytest.raises(NetworkUsed):
        socket.create_connection(("127.0.0.1", 9))


def test_an_event_loop_works() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert asyncio.run(answer()) == 42
