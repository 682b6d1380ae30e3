"""A client of one cloud (openstacksdk), found by its name in clouds.yaml, with deadlines and a way to end it.

Reads and changes of OpenStack go through `Cloud`, as those of hosts go through `Shell`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

from keystoneauth1.adapter import Adapter
from openstack.connection import Connection
from requests import Response

from blocks.remote.cloud_config import open_cloud
from blocks.remote.cloud_errors import CloudUnreachable, explain
from blocks.remote.cloud_session import CallCount, CloudSession, Throttle
from blocks.remote.errors import RunbookError, Stopped

# Services that the SDK speaks to by itself; the others get a plain client.
_PROXIES = {"orchestration", "compute", "network", "image", "load-balancer", "block-storage", "identity"}


class Cloud:
    """One project of one cloud; nothing is read or connected before the first call.

    Args:
        name: Of the cloud in clouds.yaml; what it is called in plans and errors.
        region: Region, if not the one that the file says.
    """

    retryable: ClassVar[tuple[type[Exception], ...]] = (CloudUnreachable,)

    def __init__(self, name: str, region: str | None = None) -> None:
        self.name = name
        self.region = region
        self._throttle = Throttle(name)
        self._connection_lock = threading.RLock()
        self._connection: Connection | None = None
        self._clients: dict[str, Adapter] = {}

    @property
    def calls(self) -> CallCount:
        """How many API calls were made."""
        return self._throttle.calls

    @property
    def project(self) -> str:
        """The id of the project that the credentials belong to."""
        with self.request("log in") as sdk:
            return str(sdk.current_project_id)

    @property
    def restricted(self) -> bool:
        """Whether it is an application credential with which no trusts may be made, as Keystone makes them by default.

        Raises:
            CloudError, Stopped: As `request`.
        """
        with self.request("log in") as sdk:
            get_access = getattr(sdk.session.auth, "get_access", None)  # a login without Keystone has none
            # What the token says of it, keystoneauth tells in no other way.
            token = getattr(get_access(sdk.session) if get_access else None, "_data", {}).get("token") or {}
            return bool((token.get("application_credential") or {}).get("restricted"))

    @contextmanager
    def request(self, action: str) -> Iterator[Connection]:
        """Give the SDK's connection, and turn whatever it raises into this project's errors.

        Args:
            action: What is being done, as a phrase for the error (`list the servers`).

        Raises:
            CloudError: One of `blocks.remote.cloud_errors`, by what went wrong.
            Stopped: `close` was called before or meanwhile.
        """
        try:
            yield self._connect()
        except RunbookError:
            raise
        except Exception as error:
            if self._throttle.closed:
                raise Stopped(self.name, f"the run was stopped (it was about to {action})") from None
            explained = explain(self.name, action, error)
            if explained is None:
                raise
            # Not from it: the libraries' chain of errors tells no more, and its texts are not masked.
            raise explained from None

    def get(self, action: str, service: str, path: str, **query: str | int | float) -> Any:
        """GET something and return its JSON.

        Args:
            action: What is being read, as a phrase for the error.
            service: Type of the service in the catalog (`metric`).
            path: Beneath the service's endpoint.
            query: Parameters after the question mark.

        Raises:
            CloudError, Stopped: As `request`.
        """
        return self._send_json(action, service, "GET", path, params=query)

    def send(self, action: str, service: str, method: str, path: str, body: object, **query: str | int) -> Any:
        """POST, PUT or DELETE something and return the answer's JSON (None where it has none).

        Raises:
            CloudError, Stopped: As `request`; after `CloudUnreachable` whether it took effect is unknown.
        """
        return self._send_json(action, service, method, path, json=body, params=query)

    def post_without_token(self, action: str, url: str) -> Response:
        """POST to an address without logging in, as a webhook is called; any answer is returned, whatever its status.

        Raises:
            CloudUnreachable, CertificateRejected: No answer.
            Stopped: As `request`.
        """
        with self.request(action) as sdk:
            # Without keystoneauth's own log: the address is a secret.
            return sdk.session.request(url, "POST", authenticated=False, raise_exc=False, log=False)

    def offers(self, service: str) -> bool:
        """Say whether the catalog has an endpoint for this type of service, in this region.

        Raises:
            CloudError, Stopped: As `request`.
        """
        with self.request("read the service catalog") as sdk:
            return sdk.config.get_endpoint(service) is not None or bool(sdk.config.get_endpoint_from_catalog(service))

    def close(self) -> None:
        """End every call that is under way, from whichever thread; no new one goes out."""
        self._throttle.close()

    def _send_json(self, action: str, service: str, method: str, path: str, **options: Any) -> Any:
        with self.request(action):
            response = self._client(service).request(path, method, raise_exc=True, **options)
            # Heat says "202 Accepted" to an update in plain text.
            plain = response.status_code == HTTPStatus.ACCEPTED and "json" not in response.headers.get(
                "Content-Type", ""
            )
            return None if plain or not response.content else response.json()

    def _session(self, **options: Any) -> CloudSession:
        return CloudSession(self._throttle, **options)

    def _client(self, service: str) -> Adapter:
        with self._connection_lock:
            sdk = self._connect()
            if service not in self._clients:
                own = service in _PROXIES
                self._clients[service] = getattr(sdk, service.replace("-", "_")) if own else _adapter(sdk, service)
            return self._clients[service]

    def _connect(self) -> Connection:
        with self._connection_lock:
            if self._throttle.closed:
                raise Stopped(self.name, "the run was stopped")
            if self._connection is None:
                self._connection = open_cloud(self.name, self.region, self._session)
                self._connection.cache_enabled = False  # clouds.yaml may turn it on; a runbook must see what is
            return self._connection


def _adapter(sdk: Connection, service: str) -> Adapter:
    """Make a plain client of a service that the SDK has none for, by what clouds.yaml says of it."""
    config = sdk.config
    return Adapter(
        sdk.session,
        service_type=config.get_service_type(service),
        interface=config.get_interface(service),
        region_name=config.get_region_name(service),
        endpoint_override=config.get_endpoint(service),
    )
