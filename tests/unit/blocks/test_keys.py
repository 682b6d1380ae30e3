"""Private keys and pinned host keys."""

from pathlib import Path

import paramiko
import pytest

from blocks.host import Host
from blocks.keys import KeyFileError, check_private_key, hosts_without_key, keyscan_commands
from tests.site_files import PUBLIC_KEY

HOSTS = [Host(name="one", address="10.0.0.1"), Host(name="two", address="10.0.0.2")]


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    file = tmp_path / "known_hosts"
    file.write_text(f"10.0.0.1 {PUBLIC_KEY}\n# a comment\n\n[10.0.0.2]:2222 {PUBLIC_KEY}\n")
    return file


def missing(known_hosts: Path, port: int = 22, jump_host: str | None = None) -> list[str]:
    return [str(each) for each in hosts_without_key(known_hosts, HOSTS, port, jump_host)]


def test_names_the_hosts_that_are_not_pinned(known_hosts: Path) -> None:
    assert missing(known_hosts) == ["two (10.0.0.2)"]


def test_another_port_is_another_entry(known_hosts: Path) -> None:
    assert missing(known_hosts, port=2222) == ["one (10.0.0.1)"]


def test_understands_hashed_names(known_hosts: Path) -> None:
    known_hosts.write_text(f"{paramiko.HostKeys.hash_host('10.0.0.1')} {PUBLIC_KEY}\n")
    assert missing(known_hosts) == ["two (10.0.0.2)"]


@pytest.mark.parametrize(
    ("jump_host", "lacking"), [("10.0.0.1", []), ("stack@10.0.0.2:2222", []), ("stack@10.0.0.3", ["10.0.0.3"])]
)
def test_the_jump_host_is_pinned_too(known_hosts: Path, jump_host: str, lacking: list[str]) -> None:
    assert [str(each) for each in hosts_without_key(known_hosts, [], jump_host=jump_host)] == lacking


@pytest.mark.parametrize(
    "line",
    [
        f"@revoked 10.0.0.9 {PUBLIC_KEY}",
        f"@cert-authority 10.0.0.* {PUBLIC_KEY}",
        "10.0.0.9 1024 37 159123",
        f"10.0.0.1 {PUBLIC_KEY[:-3]}",
        f"10.0.0.1  {PUBLIC_KEY}",
        "10.0.0.1 ssh-ed25519",
        "\x00\xff",
    ],
)
def test_lines_that_openssh_bears_are_borne(known_hosts: Path, line: str) -> None:
    text = known_hosts.read_text()
    known_hosts.write_text(f"{line}\n{text}{line}\n", encoding="latin-1")
    assert missing(known_hosts) == ["two (10.0.0.2)"]


def test_a_host_whose_every_line_is_unusable_comes_with_these(known_hosts: Path) -> None:
    known_hosts.write_text(
        f"10.0.0.1 {PUBLIC_KEY}\n10.0.0.2 {PUBLIC_KEY[:-4]}\n@cert-authority * {PUBLIC_KEY}\n@revoked *.1 {PUBLIC_KEY}\n"
    )
    one, two = hosts_without_key(known_hosts, HOSTS)
    assert (one.unusable[1], two.unusable[0]) == (
        "line 1: line 4 revokes its key",
        "line 2: the key is broken, or not of the type that is written before it",
    )
    assert one.unusable[0].startswith("line 3: @cert-authority: host certificates are not supported")


def test_keys_are_fetched_from_the_port_of_each(known_hosts: Path) -> None:
    known_hosts.write_text("")
    lacking = hosts_without_key(known_hosts, HOSTS, 2222, "stack@10.0.0.3")
    assert keyscan_commands(lacking, Path("known")) == (
        "ssh-keyscan -p 2222 10.0.0.1 10.0.0.2 >> known && ssh-keyscan 10.0.0.3 >> known"
    )


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
