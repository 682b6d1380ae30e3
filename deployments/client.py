"""A client of the Prefect server that this project is applied to."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from deployments.errors import ServerError


@contextmanager
def server_client() -> Iterator[SyncPrefectClient]:
    """Connect to the server.

    Raises:
        ServerError: It does not answer, or stops answering, or refuses what is asked of it.
    """
    if not get_current_settings().api.url:
        # Prefect would start a server of its own, work with it, and stop it again.
        raise ServerError("PREFECT_API_URL is not set; run this in the project's folder, whose prefect.toml sets it")
    with get_client(sync_client=True) as client:
        _check_answers(client)
        try:
            yield client
        except PrefectHTTPStatusError as error:
            raise ServerError(f"the server refused: {error}") from error
        except httpx.HTTPError as error:
            raise ServerError(f"the server stopped answering: {error!r}") from error


def _check_answers(client: SyncPrefectClient) -> None:
    problem = client.api_healthcheck()
    if problem:
        raise ServerError(
            f"no Prefect server answers at {client.api_url}: {problem}; start one: python -m deployments server"
        ) from problem
