"""A BMC that is asked without a socket: requests goes to the service in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from blocks.remote import bmc_session
from blocks.remote.bmc import Bmc, BmcAccount
from tests.redfish.service import PASSWORD, USER, Redfish


class InProcess(BaseAdapter):
    """Hands requests to a service.

    Args:
        service: The service.
    """

    def __init__(self, service: Redfish) -> None:
        super().__init__()
        self._service = service

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        body = json.loads(cast("bytes", request.body)) if request.body else None
        path, headers = urlsplit(str(request.url)).path, cast("Mapping[str, str]", request.headers)
        answer = self._service.handle(str(request.method), path, headers, body)
        response = Response()
        response.status_code, response.request, response.url = answer.status, request, str(request.url)
        response.headers = CaseInsensitiveDict(answer.headers)
        response._content = json.dumps(answer.body).encode() if answer.body else b""
        return response

    def close(self) -> None:
        """There is nothing to close."""


def ask_in_process(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[[Redfish], Bmc]:
    """Have BMCs asked without a socket.

    Args:
        monkeypatch: Of the test.
        folder: Where their password is written.

    Returns:
        What makes the client of a service.
    """
    (folder / "password").write_text(f"{PASSWORD}\n")
    services: dict[str, Redfish] = {}
    monkeypatch.setattr(bmc_session, "PinnedCertificate", lambda sha256: InProcess(services[sha256]))

    def client(service: Redfish, name: str = "controller-0's BMC", system: str | None = None) -> Bmc:
        key = f"{len(services):064x}"
        services[key] = service
        return Bmc(name, BmcAccount(f"https://192.0.2.{len(services)}", USER, folder / "password", key, system))

    return client
