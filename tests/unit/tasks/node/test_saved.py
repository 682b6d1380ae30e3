"""What is saved on a node appears whole, for root alone; the config drive is found by its label."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed, HostError
from tasks.engine.step import apply_change
from tasks.node import saved
from tasks.node.config_drive import find_config_drive, save_config_drive
from tests.unit.fakes import LocalShell, silent


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalShell:
    """A host whose podman and pcs print what they were called with."""
    monkeypatch.setattr(saved, "DIRECTORY", str(tmp_path / "saved"))
    (tmp_path / "bin").mkdir()
    for program in ("podman", "pcs"):
        file = tmp_path / "bin" / program
        file.write_text(
            f'#!/bin/bash\n[ ! -e {tmp_path}/fails ] || exit 1\n[ -e {tmp_path}/mute ] || echo {program} "${{@:1:4}}"\n'
        )
        file.chmod(0o755)
    return LocalShell(tmp_path / "bin")


def test_each_file_is_there_whole_and_for_root_alone(host: LocalShell, tmp_path: Path) -> None:
    for change in (saved.save_ceph_auth("ceph-mon-0"), saved.save_ovn("ovn-dbs-0"), saved.save_pacemaker()):
        apply_change(host, change, silent)
        apply_change(host, change, silent)
    files = {file.name: file.read_text() for file in (tmp_path / "saved").iterdir()}
    assert files["ceph-auth"] == "podman exec ceph-mon-0 ceph auth\n"
    assert files["pacemaker-config.tar.bz2"] == "pcs config backup\n", "to a file, old ones would not be overwritten"
    assert files.keys() == {"ceph-auth", "pacemaker-config.tar.bz2", "ovn-northbound.db", "ovn-southbound.db"}
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "saved").iterdir()} == {0o600}


@pytest.mark.parametrize("how", ["fails", "mute"])
def test_a_program_that_fails_or_writes_nothing_leaves_the_file_of_before(
    host: LocalShell, tmp_path: Path, how: str
) -> None:
    apply_change(host, saved.save_pacemaker(), silent)
    (tmp_path / how).touch()
    with pytest.raises(CommandFailed):
        apply_change(host, saved.save_pacemaker(), silent)
    assert (tmp_path / "saved/pacemaker-config.tar.bz2").read_text() == "pcs config backup\n"


def test_keys_go_into_the_file_and_nowhere_else() -> None:
    (command,) = saved.save_ceph_auth("ceph-mon-0").commands
    assert isinstance(command, Command)
    assert command.quiet


def test_containers_are_found_by_the_names_that_they_have_had() -> None:
    assert saved.ceph_monitor(["keystone", "ceph-mon-controller-0"]) == "ceph-mon-controller-0"
    assert saved.ceph_monitor(["ceph-1f2e-mon-controller-0"]) == "ceph-1f2e-mon-controller-0"
    assert saved.ovn_databases(["ovn_controller", "ovn-dbs-bundle-podman-0"]) == "ovn-dbs-bundle-podman-0"
    assert saved.ovn_databases(["ovn_cluster_north_db_server"]) == "ovn_cluster_north_db_server"
    assert saved.ceph_monitor([]) == saved.ovn_databases(["ovn_controller"]) == ""


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    device = tmp_path / "vda1"
    device.write_bytes(bytes(range(256)) * 9000)
    (tmp_path / "config-2").symlink_to(device)
    return device


def test_the_partition_is_found_by_its_label(drive: Path, here: LocalShell) -> None:
    folder = drive.parent
    assert find_config_drive(here, str(folder / "config-2"), str(folder / "config-drive")) == str(drive)
    assert find_config_drive(here, str(folder / "no-such"), str(folder / "config-drive")) == ""


def test_a_directory_in_the_file_s_place_refuses(drive: Path, here: LocalShell) -> None:
    (drive.parent / "config-drive").mkdir()
    with pytest.raises(HostError, match="config-drive is a directory, and the config drive is saved to a file"):
        find_config_drive(here, str(drive.parent / "config-2"), str(drive.parent / "config-drive"))


def test_the_whole_partition_is_saved_and_saving_it_again_changes_nothing(drive: Path, here: LocalShell) -> None:
    file = drive.parent / "config-drive"
    change = save_config_drive(str(drive), str(file))
    assert apply_change(here, change, silent) == "done"
    assert file.read_bytes() == drive.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert apply_change(here, change, silent) == "already"
    drive.write_bytes(b"another")
    assert apply_change(here, change, silent) == "done"
    assert file.read_bytes() == b"another"
