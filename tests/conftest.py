"""What holds for every suite: SIGTERM ends one as Ctrl-C does, and what an interrupted one has brought up goes with it."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from tests.lab import Lab
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm

_ENDS = pytest.StashKey[list[Callable[[], None]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ENDS] = []
    interrupt_on_sigterm()


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
