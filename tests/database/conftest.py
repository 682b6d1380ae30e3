"""Two servers: one that is backed up, and one into which backups are restored."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database.backups import Backup, back_up
from tests.database.healthy import HEALTHY
from tests.database.local_server import PACKAGES, LocalServer
from tests.database.sample import SAMPLE
from tests.lab.base import install_packages
from tests.lab.shell import Progress


@pytest.fixture(scope="session")
def mariadb() -> None:
    """MariaDB's programs on this machine."""
    install_packages(Progress(), PACKAGES)


def _running(directory: Path) -> Iterator[LocalServer]:
    server = LocalServer(directory)
    server.create()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def origin(mariadb: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The server that is backed up."""
    yield from _running(tmp_path_factory.mktemp("origin") / "server")


@pytest.fixture(scope="session")
def target(mariadb: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """The server into which backups are restored."""
    yield from _running(tmp_path_factory.mktemp("target") / "server")


@pytest.fixture(scope="session")
def backup(origin: LocalServer) -> Backup:
    """A backup of what the damaged ones are made from."""
    origin.empty()
    origin.sql(SAMPLE)
    return back_up(origin)


@pytest.fixture(scope="session")
def healthy(origin: LocalServer, backup: Backup) -> Backup:
    """A backup of everything that is unusual and whole."""
    origin.empty()
    for number, sql in enumerate(HEALTHY.values()):
        origin.sql(f"CREATE DATABASE v{number}; USE v{number};\n{sql}")
    return back_up(origin)
