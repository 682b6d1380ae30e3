"""What goes over the wire to a cloud: counted, paced, each call with a deadline, all of it ended from another thread."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import requests
from keystoneauth1.session import Session, TCPKeepAliveAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from blocks.remote.errors import Stopped
from blocks.remote.secrets import register

# What a look at everything may take at once; beyond it one call a second, so that no loop can load a control plane.
_BURST = 120
_PER_S = 1.0
_CONNECT_S = 10.0
_READ_S = 60.0
_GET_RETRIES = 2


@dataclass(frozen=True)
class CallCount:
    """How many calls went to a cloud.

    Attributes:
        total: Since it was opened, logins and retries included.
        seconds: How long that is.
        busiest_minute: The most within any 60 s.
    """

    total: int
    seconds: float
    busiest_minute: int

    @property
    def per_minute(self) -> float:
        """The mean rate; within the first minute, the calls so far."""
        return self.total * 60 / max(self.seconds, 60.0)


class Throttle:
    """Counts and paces the calls to one cloud, and knows the connections that are open.

    Args:
        name: The cloud's name.
        burst: Calls that may go out at once.
        per_s: Calls a second beyond that.
    """

    def __init__(self, name: str, burst: int = _BURST, per_s: float = _PER_S) -> None:
        self._name, self._burst, self._per_s = name, burst, per_s
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._since = monotonic()
        self._due = self._since - burst / per_s
        self._total = self._busiest = 0
        self._last_minute: deque[float] = deque()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    @property
    def calls(self) -> CallCount:
        """The count so far."""
        with self._lock:
            return CallCount(self._total, monotonic() - self._since, self._busiest)

    def admit(self) -> None:
        """Count a call, and hold it back while there have been too many.

        Raises:
            Stopped: `close` was called.
        """
        with self._lock:
            now = monotonic()
            self._due = max(self._due, now - self._burst / self._per_s) + 1 / self._per_s
            delay = max(0.0, self._due - now)
            self._count(now + delay)
        if self._closed.wait(delay) if delay else self.closed:
            raise Stopped(self._name, "the run was stopped")

    def _count(self, at: float) -> None:
        self._total += 1
        self._last_minute.append(at)
        while self._last_minute[0] <= at - 60:
            self._last_minute.popleft()
        self._busiest = max(self._busiest, len(self._last_minute))

    def track(self, connection: socket.socket) -> None:
        """Remember a connection, so that `close` ends what waits on it."""
        self._sockets.add(connection)

    def close(self) -> None:
        """Let no call out any more, and end those under way."""
        self._closed.set()
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                # The plain socket beneath TLS: a farewell to a peer that does not answer would wait for it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class ThrottledAdapter(TCPKeepAliveAdapter):
    """The way of every HTTP request, whichever part of the SDK sends it.

    Args:
        throttle: Where it is counted and paced.
    """

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make connection pools whose connections `Throttle.close` can end."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _tracked_pool(self._throttle, HTTPConnectionPool, HTTPConnection),
            "https": _tracked_pool(self._throttle, HTTPSConnectionPool, HTTPSConnection),
        }

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send it, when its turn has come."""
        self._throttle.admit()
        limit = timeout if isinstance(timeout, int | float) else _READ_S
        return super().send(request, stream, (min(_CONNECT_S, limit), limit), verify, cert, proxies)  # type: ignore[arg-type]


def _tracked_pool(throttle: Throttle, pool: type[Any], connection: type[Any]) -> type[Any]:
    def connect(self: Any) -> None:
        connection.connect(self)
        throttle.track(self.sock)

    return type(
        pool.__name__, (pool,), {"ConnectionCls": type(connection.__name__, (connection,), {"connect": connect})}
    )


class CloudSession(Session):
    """A keystoneauth session that repeats nothing but a GET whose connection failed, and keeps its tokens secret.

    Args:
        throttle: Where its calls are counted and paced.
        timeout: Seconds that a service may stay silent; None takes 60.
        options: As keystoneauth's session.
    """

    def __init__(self, throttle: Throttle, timeout: float | None = None, **options: Any) -> None:
        super().__init__(timeout=timeout or _READ_S, **options)
        for scheme in ("http://", "https://"):
            self.mount(scheme, ThrottledAdapter(throttle))

    def request(self, url: str, method: str, **options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request; a change goes out once, since nobody knows what became of the first."""
        options["connect_retries"] = _GET_RETRIES if method.upper() == "GET" else 0
        options["status_code_retries"] = 0
        return super().request(url, method, **options)

    def get_auth_headers(self, auth: Any = None) -> dict[str, str] | None:
        """Return the headers that log in; the token in them is masked from now on."""
        headers = super().get_auth_headers(auth)
        for value in (headers or {}).values():
            register(value)
        return headers
