"""Progress is shown where the server answers, and never waited for where it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES

import tasks.engine.progress
from tasks.engine.progress import Progress


class Server:
    """What it was told.

    Attributes:
        told: Each percentage, and whether an artifact was made for it.
        descriptions: What stood beside each.
        meanwhile: Called for each.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[str, float]] = []
        self.descriptions: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.retries: list[int] = []
        monkeypatch.setattr(tasks.engine.progress, "create_progress_artifact", self._create)
        monkeypatch.setattr(tasks.engine.progress, "update_progress_artifact", self._update)

    def _create(self, percent: float, description: str) -> UUID:
        self.descriptions.append(description)
        self._hear("made", percent)
        return uuid4()

    def _update(self, artifact: UUID, percent: float, description: str) -> None:
        self.descriptions.append(description)
        self._hear("updated", percent)

    def _hear(self, how: str, percent: float) -> None:
        self.retries.append(PREFECT_CLIENT_MAX_RETRIES.value())
        self.meanwhile()
        self.told.append((how, percent))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def show(progress: Progress, *percents: float) -> None:
    """Show each, and let it arrive."""
    for percent in percents:
        progress(percent)
        assert progress._telling is not None
        progress._telling.join(5)


def test_one_artifact_shows_what_has_changed(server: Server) -> None:
    show(Progress("4 Import"), 10.2, 10.4, 55, 104)
    assert server.told == [("made", 10), ("updated", 55), ("updated", 100)]


def test_what_is_under_way_is_shown_beside_it(server: Server) -> None:
    progress = Progress("3l Create the image")
    show(progress, 0)
    progress.phase("Creating disk layout")
    show(progress, 0, 0.2)
    progress.phase("Creating tar archive")
    show(progress, 0, 50)
    assert server.descriptions == [
        "3l Create the image",
        "3l Create the image: Creating disk layout",
        "3l Create the image: Creating tar archive",
        "3l Create the image: Creating tar archive",
    ]
    assert [percent for _, percent in server.told] == [0, 0, 0, 50]


def test_a_server_that_hangs_holds_nobody_up(server: Server) -> None:
    hangs = threading.Event()
    server.meanwhile = lambda: assert_set(hangs)
    progress = Progress("4 Import")
    started = time.monotonic()
    for percent in range(5):
        progress(percent)
    assert time.monotonic() - started < 2
    hangs.set()
    assert progress._telling is not None
    progress._telling.join(5)
    show(progress, 50)
    assert server.told[-1][1] == 50
    assert set(server.retries) == {0}


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)


def test_a_server_that_is_away_is_told_once_it_is_back(server: Server) -> None:
    def refuse() -> None:
        raise httpx.ConnectError("refused")

    server.meanwhile = refuse
    progress = Progress("4 Import")
    show(progress, 10)
    server.meanwhile = lambda: None
    show(progress, 10)
    assert server.told == [("made", 10)]
