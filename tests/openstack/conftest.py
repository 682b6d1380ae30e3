"""The cloud as a fixture. It stays up after the tests, since the next run then starts at once."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import gone_if_interrupted
from tests.openstack import Cloud


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Cloud:
    cloud = Cloud()
    gone_if_interrupted(request.config, cloud.down)
    cloud.up()
    return cloud


@pytest.fixture(scope="session")
def project(cloud: Cloud) -> Iterator[Any]:
    """A connection as the project's user."""
    with cloud.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def admin(cloud: Cloud) -> Iterator[Any]:
    """A connection as the administrator."""
    with cloud.connect(cloud.admin_name) as connection:
        yield connection
