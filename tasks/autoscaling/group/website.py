"""A visitor of the website behind a balancer, who asks all the time: who answered, and which requests were lost."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType

import requests

_EVERY_S, _TIMEOUT_S = 0.25, 10.0
# What is kept of the answers: enough for each of a large group to have its turn.
_PAGES_KEPT = 400


@dataclass(frozen=True)
class LostRequest:
    """A request that got no page.

    Attributes:
        at: When it was sent.
        why: Status or error.
    """

    at: datetime
    why: str


class Visitor:
    """Asks for a page, four times a second, in a thread of its own; a new connection each time, as new visitors do.

    Args:
        url: The page's address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.request_count = 0
        self.lost: list[LostRequest] = []
        self._pages: deque[str] = deque(maxlen=_PAGES_KEPT)
        self._stop = threading.Event()
        self._counting = threading.Event()
        self._thread = threading.Thread(target=self._visit, name="visitor", daemon=True)

    def __enter__(self) -> Visitor:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_TIMEOUT_S + 1)

    def start_counting(self) -> None:
        """Begin to count: until the page has been served once, a request can't be lost."""
        self._counting.set()

    def get_page(self) -> str:
        """Ask once; returns the page, or raises.

        Raises:
            requests.RequestException: No page came.
        """
        answer = requests.get(self.url, timeout=_TIMEOUT_S, headers={"Connection": "close"})
        answer.raise_for_status()
        return answer.text

    def _visit(self) -> None:
        while not self._stop.wait(_EVERY_S):
            at, counted = datetime.now(UTC), self._counting.is_set()
            try:
                page = self.get_page()
            except requests.RequestException as error:
                if counted:
                    self.request_count += 1
                    self.lost.append(LostRequest(at, f"{type(error).__name__}: {error}"))
                continue
            self.request_count += counted
            self._pages.append(page)

    def was_served_by(self, name: str) -> bool:
        """Whether a page named this server."""
        return any(_hostname(name) in page.lower() for page in list(self._pages))

    def pages_by_server(self, names: list[str], last: int) -> dict[str, int]:
        """How often each server was named among the last so many pages."""
        pages = list(self._pages)[-last:]
        return {name: sum(_hostname(name) in page.lower() for page in pages) for name in names}


def _hostname(name: str) -> str:
    """The name that a server has for itself: Nova makes one of its display name, in lower case."""
    return re.sub("[ _.]", "-", name).lower()
