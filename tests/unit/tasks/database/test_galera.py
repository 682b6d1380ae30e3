"""What the members of a cluster say of themselves, and what keeps them from being one healthy cluster."""

import socket
import threading
from pathlib import Path

import pytest

from blocks.remote.errors import CommandTimedOut, HostError, WaitExpired
from tasks.database.galera import (
    NodeStatus,
    check_node,
    check_virtual_ip,
    cluster_nodes,
    cluster_uuids,
    disagreements,
    parse_cluster_address,
    parse_node_status,
    read_node_status,
    run_clustercheck,
    start_node,
)
from tasks.database.mariadb import Server
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
UUID, OTHER = "6a3f2c9e-0000-11ef-8000-000000000001", "6a3f2c9e-0000-11ef-8000-000000000002"
NODES = "gcomm://controller-0.internalapi,controller-1.internalapi,controller-2.internalapi"


def status(state: str = "Synced", cluster: str = "Primary", size: str = "3", uuid: str = UUID) -> str:
    return (
        f"wsrep_cluster_size\t{size}\nwsrep_cluster_state_uuid\t{uuid}\nwsrep_cluster_status\t{cluster}\n"
        f"wsrep_local_state_comment\t{state}\nwsrep_ready\tON\n"
    )


def member(state: str = "Synced", cluster: str = "Primary", size: int = 3, uuid: str = UUID) -> NodeStatus:
    return NodeStatus(state, cluster, size, uuid)


def test_the_rows_of_the_status_are_read() -> None:
    assert parse_node_status(status()) == member()


@pytest.mark.parametrize(
    ("text", "synced"),
    [
        (status(), True),
        (status("Donor/Desynced"), False),
        (status("Joining: receiving State Transfer"), False),
        (status("Joined"), False),
        (status("Initialized", "Disconnected", "0"), False),
        (status("Synced", "non-Primary", "1"), False),
        ("", False),
    ],
)
def test_only_a_synced_member_of_a_primary_component_counts(text: str, synced: bool) -> None:
    assert parse_node_status(text).synced is synced


@pytest.mark.parametrize("size", ["", "NULL", "-1"])
def test_a_size_that_is_no_number_is_none(size: str) -> None:
    assert parse_node_status(status(size=size)).size == 0


def test_a_node_that_does_not_answer_is_a_member_without_a_state() -> None:
    assert read_node_status(FakeShell().on("mysql", say=1), SERVER) == NodeStatus("", "", 0, "")


def test_three_synced_members_that_see_each_other_agree() -> None:
    assert disagreements({name: member() for name in ("a", "b", "c")}, 3) == []


@pytest.mark.parametrize(
    ("third", "said"),
    [
        (member("Donor/Desynced"), "c: Donor/Desynced, Primary"),
        (member("Joining"), "c: Joining, Primary"),
        (member("Synced", "non-Primary", 1), "c: Synced, non-Primary"),
        (NodeStatus("", "", 0, ""), "c: no answer, no status"),
        (member(size=2), "c: wsrep_cluster_size is 2, not 3"),
        (member(uuid=OTHER), f"the nodes are in different clusters: {UUID}, {OTHER}"),
    ],
)
def test_one_member_that_is_not_as_the_others_is_told(third: NodeStatus, said: str) -> None:
    assert disagreements({"a": member(), "b": member(), "c": third}, 3) == [said]


def test_a_split_cluster_is_told_with_every_reason() -> None:
    told = disagreements({"a": member(size=2), "b": member(size=2), "c": member(size=1, uuid=OTHER)}, 3)
    assert len(told) == 4
    assert told[-1].startswith("the nodes are in different clusters")


def test_a_member_is_looked_at_until_it_sees_all_others(clock: FakeClock) -> None:
    shell = FakeShell().on("mysql", say=[status(size="2"), status("Joined"), status()])
    apply_change(shell, check_node(SERVER, 3), silent)
    assert len(shell.ran) == 3


def test_a_cluster_of_fewer_nodes_is_told_with_its_size(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=r"last seen 'controller-0: wsrep_cluster_size is 2, not 3'"):
        apply_change(FakeShell().on("mysql", say=status(size="2")), check_node(SERVER, 3), silent)


@pytest.mark.parametrize(
    "text",
    [
        f"[mysqld]\nwsrep_cluster_address = {NODES}\n",
        f"[mysqld]\nwsrep_cluster_address={NODES}\n",
        f"[mysqld]\nwsrep-cluster-address={NODES}\n",
        f'[mysqld]\nwsrep_cluster_address = "{NODES}"\n',
        f"[mysqld]\nwsrep_cluster_address='{NODES}'\n",
        f"[client]\nport = 3306\n\n[mysqld]\nskip-name-resolve\n[galera]\nwsrep_cluster_address ={NODES}\n",
        f"# wsrep_cluster_address = gcomm://old\n!includedir /etc/my.cnf.d\n[mysqld]\nwsrep_cluster_address= {NODES}\n",
        f"[mysqld]\nwsrep_cluster_address = gcomm://\nwsrep_cluster_address = {NODES}\n",
        f'[mysqld]\nwsrep_cluster_address="{NODES}" # all nodes\n',
        f"[mysqld]\nwsrep_cluster_address = {NODES}# all nodes\n",
        f"[mysqld]\nwsrep_cluster_address = '{NODES}'  # it's \"all\" nodes\n",
        f"[mysqld]\nloose-wsrep_cluster_address = {NODES}\n",
        f"[mysqld]\n;wsrep_cluster_address = gcomm://old\nwsrep_cluster_address = {NODES}\n",
        f"[mysqld]\nwsrep_cluster_address = gcomm://old\n[galera]\nwsrep_cluster_address = {NODES}\n",
        f"[mysqld]\nwsrep_provider_options = gmcast.listen_addr=tcp://1.2.3.4:4567;x=y\nwsrep_cluster_address={NODES}\n",
    ],
)
def test_the_cluster_address_is_found_however_it_is_written(text: str) -> None:
    assert parse_cluster_address("controller-0", text) == NODES


@pytest.mark.parametrize(
    ("address", "nodes"),
    [
        (NODES, ("controller-0.internalapi", "controller-1.internalapi", "controller-2.internalapi")),
        ("gcomm://c-0:4567,c-1:4567?pc.wait_prim=no&gmcast.segment=1", ("c-0", "c-1")),
        ("gcomm://172.16.2.11, 172.16.2.12,", ("172.16.2.11", "172.16.2.12")),
        ("gcomm://[fd00::11]:4567,[fd00::12]", ("fd00::11", "fd00::12")),
        ("gcomm://fd00::11,fd00::12", ("fd00::11", "fd00::12")),
    ],
)
def test_the_nodes_of_an_address_are_told_without_ports_and_options(address: str, nodes: tuple[str, ...]) -> None:
    assert cluster_nodes(parse_cluster_address("x", f"[mysqld]\nwsrep_cluster_address = {address}\n")) == nodes


@pytest.mark.parametrize(
    "address",
    [
        "c-0,c-1",
        "dummy://",
        "gcomm://c-0 c-1",
        "gcomm://<nodes>",
        "gcomm://c-0;c-1",
        '"gcomm://c-0,c-1',
        "gcomm://c_0/c-1",
    ],
)
def test_what_is_no_list_of_nodes_is_refused_with_what_it_is(address: str) -> None:
    with pytest.raises(HostError, match="which is no list of nodes") as refused:
        parse_cluster_address("controller-0", f"[mysqld]\nwsrep_cluster_address = {address}\n")
    assert address in refused.value.message


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


def test_an_indented_line_is_an_option_of_its_own() -> None:
    text = f"[mysqld]\n  wsrep_cluster_address = {NODES}\n    wsrep_cluster_name = galera_cluster\n"
    assert parse_cluster_address("controller-0", text) == NODES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[mysqld]\n",
        "[mysqld]\nwsrep_cluster_address\n",
        "[mysqld]\nwsrep_cluster_address =\n",
        "[mysqld]\nwsrep_cluster_address = gcomm://\n",
        '[mysqld]\nwsrep_cluster_address = "gcomm://"\n',
        f"[mysqld]\n# wsrep_cluster_address = {NODES}\n",
        f"wsrep_cluster_address = {NODES}\n",
    ],
)
def test_an_address_that_is_missing_or_names_no_node_is_refused(text: str) -> None:
    with pytest.raises(HostError, match="controller-0: Galera's option file"):
        parse_cluster_address("controller-0", text)


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
