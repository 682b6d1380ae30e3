"""Private keys and pinned host keys."""

from pathlib import Path

import paramiko
import pytest

from blocks.keys import KeyFileError, check_private_key, hosts_without_key
from tests.site_files import PUBLIC_KEY

HOSTS = {"one": "10.0.0.1", "two": "10.0.0.2"}


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    file = tmp_path / "known_hosts"
    file.write_text(f"10.0.0.1 {PUBLIC_KEY}\n# a comment\n\n[10.0.0.2]:2222 {PUBLIC_KEY}\n")
    return file


def test_names_the_hosts_that_are_not_pinned(known_hosts: Path) -> None:
    assert hosts_without_key(known_hosts, HOSTS) == {"two": "10.0.0.2"}


def test_another_port_is_another_entry(known_hosts: Path) -> None:
    assert hosts_without_key(known_hosts, HOSTS, port=2222) == {"one": "10.0.0.1"}


def test_understands_hashed_names(known_hosts: Path) -> None:
    known_hosts.write_text(f"{paramiko.HostKeys.hash_host('10.0.0.1')} {PUBLIC_KEY}\n")
    assert hosts_without_key(known_hosts, HOSTS) == {"two": "10.0.0.2"}


@pytest.mark.parametrize(
    ("jump_host", "missing"),
    [("10.0.0.1", {}), ("stack@10.0.0.2:2222", {}), ("stack@10.0.0.3", {"10.0.0.3": "10.0.0.3"})],
)
def test_the_jump_host_is_pinned_too(known_hosts: Path, jump_host: str, missing: dict[str, str]) -> None:
    assert hosts_without_key(known_hosts, {}, jump_host=jump_host) == missing


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="known_hosts: file not found"):
        hosts_without_key(tmp_path / "known_hosts", HOSTS)
    with pytest.raises(KeyFileError, match="id: file not found"):
        check_private_key(tmp_path / "id")


def test_refuses_a_directory(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="is not a file"):
        check_private_key(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_refuses_a_key_that_others_may_read(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "id"
    key.touch()
    key.chmod(mode)
    with pytest.raises(KeyFileError, match=f"open to others .mode {mode:04o}.; `chmod 600"):
        check_private_key(key)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_takes_a_key_of_its_owners_alone(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "id"
    key.touch()
    key.chmod(mode)
    check_private_key(key)
