"""Calls to a cloud are counted and paced, and end at once when they are told to."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.connection import HTTPConnection

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_session import Throttle, ThrottledAdapter
from blocks.remote.errors import Stopped
from tests.unit.cloud_api import FakeApi, install, overcloud
from tests.unit.fakes import FakeClock


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    return install(monkeypatch, tmp_path)


def stacks(cloud: Cloud) -> Any:
    return cloud.get("list the stacks", "orchestration", "/stacks")


# -- ended


def test_a_closed_client_asks_nothing(api: FakeApi) -> None:
    cloud = overcloud()
    cloud.close()
    with pytest.raises(Stopped, match="overcloud: the run was stopped"):
        stacks(cloud)
    assert api.asked == []


def test_a_call_that_is_broken_off_by_close_is_stopped_and_not_tried_again(api: FakeApi, clock: FakeClock) -> None:
    cloud = overcloud()

    def close(_: object) -> Exception:
        cloud.close()
        return requests.ConnectionError("broken")

    api.on("GET", "orchestration", "/stacks", say=close)
    with pytest.raises(Stopped):
        stacks(cloud)
    assert len(api.requests("GET", "/stacks")) == 1


def test_close_ends_a_connection_that_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()

    def connect(connection: HTTPConnection) -> None:
        connection.sock = ours

    monkeypatch.setattr(HTTPConnection, "connect", connect)
    throttle = Throttle("overcloud")
    pools = ThrottledAdapter(throttle).poolmanager.pool_classes_by_scheme
    pools["http"]("heat.test").ConnectionCls("heat.test").connect()
    heard: list[bytes] = []
    waiting = threading.Thread(target=lambda: heard.append(ours.recv(10)))
    waiting.start()
    throttle.close()
    waiting.join(5)
    theirs.close()
    ours.close()
    assert heard == [b""]
    throttle.close()  # the connection is gone; nothing is left to end


# -- counted and paced


def test_calls_are_counted(api: FakeApi) -> None:
    api.on("GET", "orchestration", "/stacks", say={"stacks": []})
    cloud = overcloud()
    stacks(cloud)
    stacks(cloud)
    assert cloud.calls.total == len(api.asked)
    assert cloud.calls.busiest_minute == len(api.asked)
    assert cloud.calls.per_minute == pytest.approx(len(api.asked))


def test_a_burst_goes_out_at_once_and_the_rest_at_its_pace() -> None:
    throttle = Throttle("overcloud", burst=3, per_s=20)
    started = time.monotonic()
    for _ in range(3):
        throttle.admit()
    burst = time.monotonic() - started
    for _ in range(4):
        throttle.admit()
    assert burst < 0.04
    assert time.monotonic() - started > 0.15
    assert throttle.calls.total == 7


def test_a_call_that_is_held_back_ends_at_close() -> None:
    throttle = Throttle("overcloud", burst=1, per_s=0.01)
    throttle.admit()
    threading.Timer(0.05, throttle.close).start()
    with pytest.raises(Stopped):
        throttle.admit()


def test_the_busiest_minute_forgets_what_is_older(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("blocks.remote.cloud_session.monotonic", lambda: now[0])
    throttle = Throttle("overcloud")
    for now[0] in (0.0, 1.0, 30.0, 61.5, 200.0):
        throttle.admit()
    assert (throttle.calls.total, throttle.calls.busiest_minute) == (5, 3)
    assert throttle.calls.per_minute == pytest.approx(1.5)
