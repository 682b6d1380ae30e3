"""The switch dies at each of its commands, and at each statement of the one that counts; what follows reaches the same end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.schema_moving import MovedSchema
from tasks.database.schema_scripts import MARK
from tasks.database.schema_state import read_schema_state
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE
from tests.database.test_schema_moving import CHANGED, DEFAULTS, differences, prepare, switch, tables

# Counts its calls. At the one that is meant, it lets so many lines through and takes the script's process group with it.
_DYING = """#!/bin/bash
count=$(($(cat "{here}/count") + 1))
echo "$count" >"{here}/count"
if [ "$count" = {at} ]; then
  head -n {lines} | "{here}/podman.whole" "$@"
  kill -KILL 0
fi
exec "{here}/podman.whole" "$@"
"""
# The number of the command that runs the statements, and of the last one.
_STATEMENTS, _LAST = 3, 6


@pytest.fixture
def cluster(origin: LocalServer, target: LocalServer) -> Iterator[LocalServer]:
    for server in (origin, target):
        server.empty()
        server.sql(SAMPLE)
    target.sql(CHANGED)
    yield target
    target.empty()


@contextmanager
def dying(server: LocalServer, at: int, lines: int) -> Iterator[None]:
    """The clients' container takes the script with it at a call, after so many lines of its input."""
    here = server.shell.programs
    podman = here / "podman"
    whole = podman.rename(here / "podman.whole")
    podman.write_text(_DYING.format(here=here, at=at, lines=lines))
    podman.chmod(0o755)
    (here / "count").write_text("0")
    try:
        yield
    finally:
        whole.rename(podman)


def end_it(origin: LocalServer, cluster: LocalServer, moved: MovedSchema) -> None:
    """What the run that follows does: all of it, where nothing has changed places, and the last part of it else."""
    if moved.kept not in read_schema_state(cluster.shell, cluster.server).kept:
        prepare(origin, cluster, moved)
    assert switch(cluster, moved).returncode == 0


@pytest.mark.parametrize(
    ("at", "lines"),
    [*((_STATEMENTS, lines) for lines in range(1, 16, 3)), *((at, 10**6) for at in range(1, _LAST + 1))],
)
def test_killed_at_any_point_of_the_switch_the_next_run_reaches_the_same_end(
    at: int, lines: int, origin: LocalServer, cluster: LocalServer, tmp_path: Path
) -> None:
    moved = MovedSchema("nova", "20261121T123456Z", DEFAULTS, ("active",), str(tmp_path))
    before = read_contents(cluster.shell, cluster.server, 2**40, 60)
    old = before.schemas["nova"]
    prepare(origin, cluster, moved)
    with dying(cluster, at, lines):
        killed = cluster.shell.call(["setsid", "--wait", *moved.switch(cluster.server, 60).words])
    assert killed.returncode == -signal.SIGKILL, "it was not killed"
    end_it(origin, cluster, moved)
    assert differences(origin, cluster, ("nova",)) == []
    assert tables(cluster, moved.kept) == {*old.tables, *old.sequences, MARK}
    written = Path(moved.old_definitions).read_text()
    assert [name for names in old.programs.values() for name in names if name not in written] == []
    accounts = compare(before, read_contents(cluster.shell, cluster.server, 2**40, 60)).differences
    assert [str(each) for each in accounts if each.where.startswith("account")] == []
