"""What the nodes of a cluster say of themselves, and what keeps them from being one healthy cluster."""

import pytest

from tasks.database.mariadb import Server
from tasks.database.node_status import NodeStatus, disagreements, parse_node_status, read_node_status
from tests.unit.fakes import FakeShell
from tests.unit.tasks.database.galera_status import OTHER, UUID, status

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")


def node(state: str = "Synced", cluster: str = "Primary", size: int = 3, uuid: str = UUID) -> NodeStatus:
    return NodeStatus(state, cluster, size, uuid)


def test_the_rows_of_the_status_are_read() -> None:
    assert parse_node_status(status()) == node()


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
    assert disagreements({name: node() for name in ("a", "b", "c")}, 3) == []


@pytest.mark.parametrize(
    ("third", "said"),
    [
        (node("Donor/Desynced"), "c: Donor/Desynced, Primary"),
        (node("Joining"), "c: Joining, Primary"),
        (node("Synced", "non-Primary", 1), "c: Synced, non-Primary"),
        (NodeStatus("", "", 0, ""), "c: no answer, no status"),
        (node(size=2), "c: wsrep_cluster_size is 2, not 3"),
        (node(uuid=OTHER), f"the nodes are in different clusters: {UUID}, {OTHER}"),
    ],
)
def test_one_member_that_is_not_as_the_others_is_told(third: NodeStatus, said: str) -> None:
    assert disagreements({"a": node(), "b": node(), "c": third}, 3) == [said]


def test_a_split_cluster_is_told_with_every_reason() -> None:
    told = disagreements({"a": node(size=2), "b": node(size=2), "c": node(size=1, uuid=OTHER)}, 3)
    assert len(told) == 4
    assert told[-1].startswith("the nodes are in different clusters")
