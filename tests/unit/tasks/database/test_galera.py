"""A node is started once, and looked at until it is part of a whole cluster that clients reach."""

import socket
import threading
from pathlib import Path

import pytest

from blocks.remote.errors import CommandTimedOut, WaitExpired
from tasks.database.galera import check_node, check_virtual_ip, run_clustercheck, start_node
from tasks.database.mariadb import Server
from tasks.database.node_status import cluster_uuids
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent
from tests.unit.tasks.database.galera_status import status

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
NODES = "gcomm://controller-0.internalapi,controller-1.internalapi,controller-2.internalapi"


def test_a_member_is_looked_at_until_it_sees_all_others(clock: FakeClock) -> None:
    shell = FakeShell().on("mysql", say=[status(size="2"), status("Joined"), status()])
    apply_change(shell, check_node(SERVER, 3), silent)
    assert len(shell.ran) == 3


def test_a_cluster_of_fewer_nodes_is_told_with_its_size(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=r"last seen 'controller-0: wsrep_cluster_size is 2, not 3'"):
        apply_change(FakeShell().on("mysql", say=status(size="2")), check_node(SERVER, 3), silent)


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_a_mariadb_greets_at_an_address_of_ipv6_too() -> None:
    """The words are those that bash takes: the address without brackets."""
    with socket.socket(socket.AF_INET6) as server:
        server.bind(("::1", 0))
        server.listen()
        port = server.getsockname()[1]

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"\x4a\x00\x00\x00\x0a10.3.28-MariaDB")

        greeting = threading.Thread(target=greet)
        greeting.start()
        assert apply_change(LocalShell(), check_virtual_ip("::1", port), silent) == "done"
        greeting.join()


def test_a_member_is_started_once_and_awaited_until_it_is_synced(clock: FakeClock) -> None:
    shell = FakeShell(otherwise="").on("pgrep", say="")
    shell.on("mysql --defaults", say=[1, status("Joining", size="2"), status()])
    assert apply_change(shell, start_node(SERVER, NODES, "/var/run/mysql/mysqld.pid", 60), silent) == "done"
    (started,) = shell.lines("mysqld_safe")
    assert f"--wsrep-cluster-address={NODES}" in started
    assert "--pid-file=/var/run/mysql/mysqld.pid" in started


def test_a_running_member_is_not_started_again_but_awaited_all_the_same(clock: FakeClock) -> None:
    shell = FakeShell().on("pgrep", say="7\n").on("mysql --defaults", say=[status("Joined"), status()])
    assert apply_change(shell, start_node(SERVER, NODES, "/run/x.pid", 60), silent) == "already"
    assert shell.lines("mysqld_safe") == []


def test_a_member_that_does_not_join_is_told_with_what_it_did_last(clock: FakeClock) -> None:
    shell = FakeShell(otherwise="").on("mysql --defaults", say=status("Joining", size="2"))
    with pytest.raises(WaitExpired, match=r"last seen 'Joining, Primary', for (29:5\d|30:00) min") as expired:
        apply_change(shell, start_node(SERVER, NODES, "/run/x.pid", 1800), silent)
    assert "donor" in expired.value.hint


def test_clustercheck_is_asked_until_it_says_the_documented_words(clock: FakeClock) -> None:
    shell = FakeShell().on(
        "clustercheck", say=[1, "Galera cluster node is not synced.", "Galera cluster node is synced."]
    )
    apply_change(shell, run_clustercheck(SERVER), silent)
    assert len(shell.ran) == 3


@pytest.mark.parametrize("refusal", [1, "  15", CommandTimedOut("controller-0", "no answer")])
def test_an_address_at_which_no_mariadb_greets_is_not_reached(clock: FakeClock, refusal: str | int | Exception) -> None:
    shell = FakeShell().on("/dev/tcp", say=[refusal, "  10\n"])
    apply_change(shell, check_virtual_ip("172.16.2.99", 3306), silent)
    assert len(shell.ran) == 2


@pytest.mark.parametrize(("before", "whole"), [("one", True), ("another", False), (None, True)])
def test_a_node_that_is_in_another_cluster_than_was_formed_is_not_whole(
    clock: FakeClock, before: str | None, whole: bool
) -> None:
    shell = FakeShell().on("mysql", say=status(uuid="one"))
    formed = cluster_uuids({shell.name: SERVER})
    assert formed.read(shell) == "one"
    formed.load({shell.name: before} if before else {})
    change = check_node(SERVER, 3, formed)
    if whole:
        apply_change(shell, change, silent)
    else:
        with pytest.raises(WaitExpired, match="in cluster one, and another was formed"):
            apply_change(shell, change, silent)
