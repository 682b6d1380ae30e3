"""A visitor knows who answered, and counts what was lost once the page has been there."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tasks.autoscaling.group.website import Visitor

URL = "http://192.0.2.80/hostname.php"


class Farm:
    """Answers in turn; an exception among the answers is a request that is lost. The last one stays."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.enough = threading.Event()

    def get(self, url: str, **options: Any) -> Any:
        assert url == URL
        assert options["timeout"] > 0
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if self.asked >= len(self.answers):
            self.enough.set()
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(text=answer, raise_for_status=lambda: None)


def visit(monkeypatch: pytest.MonkeyPatch, *answers: str | Exception, counting: bool = True) -> Visitor:
    """Let a visitor ask until each of these answers was given."""
    farm = Farm(*answers)
    monkeypatch.setattr(requests, "get", farm.get)
    visitor = Visitor(URL)
    if counting:
        visitor.start_counting()
    monkeypatch.setattr(visitor._stop, "wait", lambda _: farm.asked >= len(answers))
    with visitor:
        assert farm.enough.wait(10)
    return visitor


def test_a_server_names_itself_as_nova_makes_its_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit(monkeypatch, "Hello, My name is we-web-farm-1")
    assert visitor.was_served_by("We-Web_farm.1")
    assert visitor.pages_by_server(["We-Web_farm.1"], 10) == {"We-Web_farm.1": 1}


def test_it_knows_who_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit(monkeypatch, "Hello, My name is we-1", "Hello, My name is we-2")
    assert visitor.was_served_by("we-1")
    assert visitor.was_served_by("we-2")
    assert not visitor.was_served_by("we-3")
    assert visitor.lost == []


def test_a_request_without_a_page_is_lost_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit(monkeypatch, "we-1", requests.ConnectionError("refused"), "we-1")
    assert [loss.why for loss in visitor.lost] == ["ConnectionError: refused"]
    assert visitor.request_count == 3


def test_before_the_page_was_there_nothing_can_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = visit(monkeypatch, requests.HTTPError("503"), "we-1", counting=False)
    assert (visitor.lost, visitor.request_count) == ([], 0)


def test_turns_are_counted_over_the_last_pages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = Visitor(URL)
    visitor._pages.extend(["we-1", "we-2", "we-2", "we-2", "we-2"])
    assert visitor.pages_by_server(["we-1", "we-2"], 4) == {"we-1": 0, "we-2": 4}
    assert visitor.pages_by_server(["we-1", "we-2"], 5) == {"we-1": 1, "we-2": 4}


def test_an_error_page_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = requests.Response()
    answer.status_code = 503
    monkeypatch.setattr(requests, "get", lambda *_, **__: answer)
    with pytest.raises(requests.HTTPError, match="503"):
        Visitor(URL).get_page()
