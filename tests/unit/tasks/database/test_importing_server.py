"""The server that imports is the service's image, on no network, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed, HostError
from blocks.remote.units import LongCommand
from tasks.database.importing_server import ImportingServer, read_image
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

SERVER = ImportingServer("sha256:01", "/var/lib/mysql", "restore-x")


def test_no_container_has_a_network_or_stays() -> None:
    changes = (SERVER.create(), SERVER.start(60), SERVER.set_root_password("SET …"))
    words = [
        action.words for change in changes for action in change.commands if isinstance(action, Command | LongCommand)
    ]
    runs = [each for each in words if each[:2] == ("podman", "run")]
    assert len(runs) == 3
    assert all({"--rm", "--network=none"} <= set(run) for run in runs)
    assert len({word for run in runs for word in run if word.startswith("--name=openstack-runbooks-restore-x")}) == 3
    assert "--skip-networking" in runs[1]


def test_a_password_goes_in_by_standard_input_alone() -> None:
    *_, command = SERVER.set_root_password("SET PASSWORD secret").commands
    assert isinstance(command, Command)
    assert command.stdin == "SET PASSWORD secret"
    assert "secret" not in " ".join(command.words) + command.shown


def test_a_server_that_runs_is_not_started_again(clock: FakeClock) -> None:
    shell = FakeShell().on("podman ps", say=f"{SERVER.container}\n").on("mysqladmin", say="")
    assert apply_change(shell, SERVER.start(60), silent) == "already"


def test_what_an_earlier_attempt_has_left_running_is_removed() -> None:
    shell = FakeShell(otherwise="")
    apply_change(shell, SERVER.discard(), silent)
    assert [command.words[-1] for command in shell.ran] == [
        SERVER.container,
        f"{SERVER.container}-create",
        f"{SERVER.container}-copy",
        f"{SERVER.container}-password",
    ]


@pytest.mark.parametrize(
    ("last", "fails"), [("[Note] mysqld: Shutdown complete\n\n", False), ("[Note] InnoDB: busy\n", True)]
)
def test_a_server_that_was_killed_is_no_end_in_peace(tmp_path: Path, last: str, fails: bool) -> None:
    (tmp_path / "podman").write_text("#!/bin/bash\n[ $1 != inspect ]\n")
    (tmp_path / "podman").chmod(0o755)
    server = ImportingServer("sha256:01", str(tmp_path), "x")
    (tmp_path / "openstack-runbooks.log").write_text("x\n" * 500 + last)
    here = LocalShell(tmp_path)
    if fails:
        with pytest.raises(CommandFailed, match="was ended before it had shut down"):
            apply_change(here, server.stop(5), silent)
    else:
        apply_change(here, server.stop(5), silent)


def test_an_image_that_is_gone_is_told_and_one_that_is_there_is_taken_by_its_id() -> None:
    shell = FakeShell().on("--type=container", say="sha256:0123456789abcdef\n").on("image exists", say="")
    assert read_image(shell, "mysql") == "sha256:0123456789abcdef"
    with pytest.raises(HostError, match="is not there any more"):
        read_image(shell.on("image exists", say=1), "mysql")
