"""A member's host key is the one that its console shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import HostKeyRejected
from tasks.autoscaling.group.group import Server
from tasks.autoscaling.group.member_shells import MemberShells, member_access, parse_host_keys
from tests.unit.cloud_api import FakeApi, install, overcloud
from tests.unit.fakes import FakeClock

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"
ECDSA = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
CONSOLE = f"""[   12.1] cloud-init[613]: done
-----BEGIN SSH HOST KEY KEYS-----
{ECDSA} root@member
{ED25519} root@member
-----END SSH HOST KEY KEYS-----
member login:"""
MEMBER = Server("3f627c84", "ex-qeki", "ACTIVE", ("10.10.1.156",), ("192.0.2.234",))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock) -> FakeApi:
    return install(monkeypatch, tmp_path)


def console(api: FakeApi, text: str) -> None:
    api.on("POST", "compute", f"/servers/{MEMBER.id}/action", say={"output": text})


def test_the_keys_that_cloud_init_prints_are_found() -> None:
    assert parse_host_keys(CONSOLE) == [ECDSA, ED25519]


def test_those_of_the_last_boot_count() -> None:
    assert parse_host_keys(CONSOLE.replace(ECDSA, "ssh-rsa AAAAB3").replace(ED25519, "ssh-rsa AAAAB4") + CONSOLE) == [
        ECDSA,
        ED25519,
    ]


@pytest.mark.parametrize("text", ["", "login:", "-----BEGIN SSH HOST KEY KEYS-----\n" + ED25519])
def test_a_console_without_keys_has_none(text: str) -> None:
    assert parse_host_keys(text) == []


def test_a_member_is_reached_at_its_floating_address_with_these_keys_alone(api: FakeApi) -> None:
    console(api, CONSOLE)
    with MemberShells(overcloud(), member_access("cirros", Path("/key"))) as members:
        shell = members.shell(MEMBER)
        known = shell._access.known_hosts
        assert (shell.name, shell.address, shell._access.user) == ("ex-qeki", "192.0.2.234", "cirros")
        assert known.read_text() == f"192.0.2.234 {ECDSA}\n192.0.2.234 {ED25519}\n"
        assert members.shell(MEMBER) is shell
    assert not known.exists()


def test_a_member_whose_console_shows_no_keys_is_not_reached(api: FakeApi) -> None:
    console(api, "login:")
    with (
        MemberShells(overcloud(), member_access("cirros", Path("/key"))) as members,
        pytest.raises(HostKeyRejected) as refused,
    ):
        members.shell(MEMBER)
    assert "cloud-init" in refused.value.hint
