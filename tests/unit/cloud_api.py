"""A cloud for unit tests: the real SDK speaks to it, and a table of answers stands where the network would be."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from blocks.remote.cloud import Cloud

PROJECT = "8f86c3d515cf4a64b9e870215498c046"
PASSWORD = "Tr0ub4dor&3"
TOKEN = "gAAAAABtoken-of-the-cloud"
CLOUDS_YAML = f"""
clouds:
  overcloud:
    region_name: regionOne
    auth:
      auth_url: http://keystone.test:5000/v3
      username: demo
      password: {PASSWORD}
      project_name: demo
      user_domain_id: default
      project_domain_id: default
  other:
    auth_type: v3applicationcredential
    auth:
      auth_url: http://keystone.test:5000/v3
      application_credential_id: 0f69dfbe
      application_credential_secret: the-secret-of-the-application
"""
SERVICES = {
    "identity": "http://keystone.test:5000",
    "orchestration": f"http://heat.test:8004/v1/{PROJECT}",
    "compute": "http://nova.test:8774/v2.1",
    "network": "http://neutron.test:9696",
    "image": "http://glance.test:9292",
    "load-balancer": "http://octavia.test:9876",
    "metric": "http://gnocchi.test:8041",
    "alarming": "http://aodh.test:8042",
    "volumev3": f"http://cinder.test:8776/v3/{PROJECT}",
}


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    Attributes:
        method: Of HTTP.
        service: Type of the service, or the host's name.
        path: Beneath the service's endpoint.
        query: Parameters; one value each.
        body: The JSON that was sent.
        headers: As they came.
    """

    method: str
    service: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str] = field(repr=False, default_factory=dict)


# A body with 200, a status, both, an error, or what a function makes of the request.
Answer = Any


class FakeApi:
    """Answers requests by method, service and path; one that it was not told about fails the test."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.services = dict(SERVICES)
        self.timeouts: list[object] = []
        self._answers: list[tuple[str, str, re.Pattern[str], list[Answer]]] = []
        self.on("POST", "identity", "/v3/auth/tokens", say=self._login)
        for service in ("identity", "compute", "image", "volumev3", "orchestration", "metric", "alarming"):
            self.on("GET", service, "/?(v2.1|v3|v2|v1)?/?", say=lambda asked: _versions(self.services, asked))

    def on(self, method: str, service: str, path: str, say: Answer | list[Answer]) -> FakeApi:
        """Say what a request is answered with; the latest to fit counts.

        Args:
            method: Of HTTP.
            service: Type of the service, or a host's name.
            path: Pattern of the whole path beneath the endpoint.
            say: The answer; of a list each request takes one, and the last one stays. A list that is a body goes into
                a tuple: `(200, [...])`.
        """
        answers = list(say) if isinstance(say, list) else [say]
        self._answers.insert(0, (method, service, re.compile(path), answers))
        return self

    def requests(self, method: str, path: str) -> list[Asked]:
        """The requests that came so far, by method and the end of their path."""
        return [request for request in self.asked if request.method == method and re.fullmatch(path, request.path)]

    def send(self, request: PreparedRequest) -> Response:
        """Answer as the network would."""
        asked = self._read(request)
        self.asked.append(asked)
        for method, service, path, answers in self._answers:
            if (method, service) == (asked.method, asked.service) and path.fullmatch(asked.path):
                return self._response(request, asked, answers.pop(0) if len(answers) > 1 else answers[0])
        raise AssertionError(f"nobody said what the cloud answers to {asked}")

    def _read(self, request: PreparedRequest) -> Asked:
        address = urlsplit(str(request.url))
        bases = {name: urlsplit(endpoint) for name, endpoint in self.services.items()}
        service = next((name for name, base in bases.items() if base.netloc == address.netloc), address.netloc)
        path = address.path.removeprefix(bases[service].path if service in bases else "")
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        body = json.loads(cast("bytes", request.body)) if request.body is not None else None
        headers = {str(key): str(value) for key, value in request.headers.items()}
        return Asked(str(request.method), service, path, query, body, headers)

    def _response(self, request: PreparedRequest, asked: Asked, answer: Answer) -> Response:
        while callable(answer):
            answer = answer(asked)
        if isinstance(answer, Exception):
            raise answer
        status, body = (
            answer if isinstance(answer, tuple) else (answer, "") if isinstance(answer, int) else (200, answer)
        )
        response = Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response.reason = {200: "OK", 403: "Forbidden", 404: "Not Found"}.get(status, "")
        kind = "text/html" if isinstance(body, str) else "application/json"
        response.headers = CaseInsensitiveDict({"Content-Type": kind, "X-Subject-Token": TOKEN})
        response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
        return response

    def _login(self, asked: Asked) -> Answer:
        catalog = [
            {
                "type": service,
                "name": service,
                "id": service,
                "endpoints": [
                    {"interface": "public", "region": "regionOne", "region_id": "regionOne", "url": url, "id": service}
                ],
            }
            for service, url in self.services.items()
        ]
        project = {"id": PROJECT, "name": "demo", "domain": {"id": "default", "name": "Default"}}
        user = {"id": "u", "name": "demo", "domain": {"id": "default", "name": "Default"}}
        later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        return 201, {
            "token": {
                "methods": ["password"],
                "user": user,
                "project": project,
                "roles": [{"id": "m", "name": "member"}],
                "catalog": catalog,
                "expires_at": later,
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "audit_ids": ["a"],
            }
        }


def _versions(services: dict[str, str], asked: Asked) -> Answer:
    """Version discovery as each service answers it."""
    base = services[asked.service].split("/v", maxsplit=1)[0]
    newest = {"identity": "v3", "compute": "v2.1", "image": "v2", "volumev3": "v3", "orchestration": "v1"}
    version = newest.get(asked.service, "v1")
    described = {"id": f"{version}.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{base}/{version}/"}]}
    if asked.service == "compute":
        described |= {"version": "2.93", "min_version": "2.1"}
    if asked.service == "identity":
        return {"version": described} if asked.path.strip("/") else (300, {"versions": {"values": [described]}})
    return {"versions": [described]}


def fail(status: int, message: str) -> Callable[[Asked], Answer]:
    """An error as Heat words it."""
    body = {"code": status, "title": "Error", "explanation": "…", "error": {"type": "X", "message": message}}
    return lambda _: (status, body)


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clouds: str = CLOUDS_YAML) -> FakeApi:
    """Put the answers where the network would be, and a clouds.yaml where the SDK looks for it."""
    api = FakeApi()

    def send(_: HTTPAdapter, request: PreparedRequest, stream: bool, timeout: object, *rest: object) -> Response:
        api.timeouts.append(timeout)
        return api.send(request)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "clouds.yaml"
    path.write_text(clouds)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return api


def overcloud() -> Cloud:
    """A client of it."""
    return Cloud("overcloud")
