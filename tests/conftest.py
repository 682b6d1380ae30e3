"""What holds for every suite: SIGTERM ends one as Ctrl-C does, and what an interrupted one has brought up goes with it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm

# Folder here → what its tests need, and the marker that says so. What takes it down has a marker of its own.
_NEEDS = {
    "server": "server",
    "database": "database",
    "openstack": "openstack",
    "autoscaling": "openstack",
    "lab": "lab",
    "restore_galera": "lab",
    "restore_undercloud_database": "lab",
    "backups": "lab",
    "rear": "lab",
    "bare_metal": "bare_metal",
    "telemetry": "lab",
}
_ENDS = pytest.StashKey[list[Callable[[], None]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ENDS] = []
    interrupt_on_sigterm()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with what it needs."""
    for item in items:
        need = _NEEDS.get(item.path.relative_to(Path(__file__).parent).parts[0])
        if need is not None and item.get_closest_marker(f"{need}_teardown") is None:
            item.add_marker(need)


def gone_if_interrupted(config: pytest.Config, end: Callable[[], None]) -> None:
    """Have something ended after the fixtures, if the tests are interrupted.

    Args:
        config: Of the tests.
        end: Ends it, in whatever state it is by then.
    """
    config.stash[_ENDS].append(end)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None]:
    """Let fixtures, and what is gone if interrupted, end undisturbed."""
    bear_interrupts()
    yield
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        for end in session.config.stash[_ENDS]:
            end()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The lab. It stays up after the tests, since the next run then starts at once."""
    lab = Lab()
    gone_if_interrupted(request.config, lab.down)
    lab.up()
    return lab
