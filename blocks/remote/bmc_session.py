"""The HTTP session with a BMC: its certificate pinned, each request with a deadline, a busy BMC asked again, a way to end it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from sushy import auth, connector
from sushy import exceptions as sushy
from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_fixed

from blocks.remote.errors import Stopped

_CONNECT_S, _READ_S = 10, 60
# What a BMC says while it starts, or is at work on the request before.
_BUSY_S, _ASK_AGAIN_S = 120.0, 3.0


class PinnedCertificate(HTTPAdapter):
    """Speaks with a server of one certificate alone, whoever has signed it and whatever name stands in it.

    Args:
        sha256: Its fingerprint.
    """

    def __init__(self, sha256: str) -> None:
        self._sha256 = sha256
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> Any:
        """Have urllib3 compare the fingerprint; it does so before anything is sent."""
        return super().init_poolmanager(*args, **options, assert_fingerprint=self._sha256)

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Send a request. No authority is asked for: a BMC's certificate is its own, for a name that is not its address."""
        return super().send(request, *args, **{**options, "verify": False})


class Session(connector.Connector):  # type: ignore[misc] # sushy has no types
    """sushy's connector, with what it lacks.

    Args:
        name: What the BMC is called in errors.
        url: Its address.
        sha256: Fingerprint of its certificate; None where an authority that this machine trusts has signed it.
        closed: Set when the run is stopped.
    """

    def __init__(self, name: str, url: str, sha256: str | None, closed: threading.Event) -> None:
        super().__init__(url, default_request_timeout=_READ_S, connect_timeout=_CONNECT_S)
        self._name, self._closed = name, closed
        if sha256:
            self._session.mount("https://", PinnedCertificate(sha256))

    def _op(self, method: str, path: str = "", *args: Any, **options: Any) -> Response:
        """Send a request; while the BMC answers 503, which says that nothing was done, send it again.

        Logging out is not worth the wait: a session that is left ends by itself.
        """
        if method == "DELETE":
            return self._once(super()._op, method, path, *args, **options)
        patiently = Retrying(
            retry=retry_if_exception(_busy),
            stop=stop_before_delay(_BUSY_S),
            wait=wait_fixed(_ASK_AGAIN_S),
            reraise=True,
        )
        response: Response = patiently(self._once, super()._op, method, path, *args, **options)
        return response

    def _once(self, send: Callable[..., Response], *args: Any, **options: Any) -> Response:
        if self._closed.is_set():
            raise Stopped(self._name, "the run was stopped")
        return send(*args, **options)


def _busy(error: BaseException) -> bool:
    return isinstance(error, sushy.HTTPError) and error.status_code == HTTPStatus.SERVICE_UNAVAILABLE


def login(user: str, password: str) -> auth.SessionOrBasicAuth:
    """A session, which is opened anew when the BMC has ended it; or basic authentication, where it has no sessions."""
    return auth.SessionOrBasicAuth(user, password)
