"""A host is found again by whatever name or address another place has for it."""

from __future__ import annotations

import pytest

from tasks.runbooks.restore_galera.membership import KnownAs, parse_names, resolve
from tests.unit.fakes import FakeShell, LocalShell
from tests.unit.tasks.control_plane import names, resolved


def known(name: str, *more: str) -> KnownAs:
    return KnownAs(name, frozenset({name, *more}), frozenset())


@pytest.mark.parametrize(
    ("node", "host"),
    [
        ("controller-1.internalapi.localdomain", known("controller-1")),
        ("controller-1.internalapi.localdomain", known("Overcloud-Controller-1".lower(), "controller-1")),
        ("CONTROLLER-1.internalapi", known("controller-1")),
        ("172.16.2.12", KnownAs("controller-1", frozenset({"controller-1"}), frozenset({"172.16.2.12"}))),
        ("fd00::12", KnownAs("controller-1", frozenset({"controller-1"}), frozenset({"fd00::12"}))),
    ],
)
def test_a_node_is_a_host_by_its_name_or_address(node: str, host: KnownAs) -> None:
    assert host.owns(node)


@pytest.mark.parametrize("node", ["controller-10.internalapi", "172.16.2.1", "172.27.3.9", "fd00::1"])
def test_a_node_of_another_name_or_address_is_another_host(node: str) -> None:
    assert not KnownAs("controller-1", frozenset({"controller-1", "172"}), frozenset({"172.16.2.12", "fd00::12"})).owns(
        node
    )


def test_a_name_that_means_nothing_is_a_host_by_the_address_that_it_has() -> None:
    host = KnownAs("controller-1", frozenset({"controller-1"}), frozenset({"172.16.2.12"}))
    assert host.owns("galera-b.example.org", {"172.16.2.12"})
    assert not host.owns("galera-b.example.org", {"172.16.2.13"})


def test_a_host_says_its_names_and_addresses() -> None:
    told = parse_names(FakeShell("controller-1"), names(1))
    assert told.names == {"controller-1", "controller-1.localdomain"}
    assert told.addresses == {"192.0.2.1", "192.0.2.2", "172.16.2.12"}


def test_a_capitalised_host_name_is_a_name_too() -> None:
    assert parse_names(FakeShell("controller-1"), "name Overcloud-CONTROLLER-1\n").is_called("overcloud-controller-1")


def test_names_are_resolved_on_the_host() -> None:
    assert "127.0.0.1" in resolve(LocalShell(), ("no-such-host.invalid", "localhost"))["localhost"]
    shell = FakeShell().on("getent", say=resolved)
    assert resolve(shell, ("controller-2.internalapi", "x")) == {
        "controller-2.internalapi": frozenset({"172.16.2.13"}),
        "x": frozenset(),
    }
