"""A node is desynced while it is dumped, and set back once its receive queue has drained, by whomever."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tasks.database.desync import Candidate, desync, parse_candidate, pick_node, resync, resync_words, why_none
from tasks.database.mariadb import Server
from tasks.database.node_status import NodeStatus
from tests.unit.fakes import FakeShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "backup-control-plane")
SYNCED = (
    "wsrep_local_state_comment\tSynced\nwsrep_cluster_status\tPrimary\nwsrep_cluster_size\t3\nwsrep_cluster_state_uuid\t5f\n"
    "wsrep_local_recv_queue\t4\nwsrep_desync\t0\nclients\t31\n"
)
DONOR = SYNCED.replace("Synced", "Donor/Desynced").replace("desync\t0", "desync\t1")


def node(clients: int = 0, queue: int = 0, desynced: bool = False, state: str = "Synced") -> Candidate:
    return Candidate(NodeStatus(state, "Primary", 3, "5f"), desynced, queue, clients)


def test_what_a_node_says_is_read() -> None:
    assert parse_candidate(SYNCED) == node(clients=31, queue=4)
    assert parse_candidate(DONOR) == node(31, 4, desynced=True, state="Donor/Desynced")
    assert parse_candidate("") == Candidate(NodeStatus("", "", 0, ""), False, 0, 0)


@pytest.mark.parametrize(
    ("candidates", "picked"),
    [
        ({"a": node(clients=40), "b": node(), "c": node(clients=1)}, "b"),
        ({"a": node(clients=40), "b": node(state="Joined"), "c": node(clients=1)}, "c"),
        ({"a": node(clients=40), "b": node(desynced=True), "c": node(state="")}, "a"),
        ({"a": node(queue=9), "b": node(queue=1)}, "b"),
        ({"a": node(desynced=True), "b": node(state="")}, None),
        ({}, None),
    ],
)
def test_the_node_without_clients_is_picked(candidates: dict[str, Candidate], picked: str | None) -> None:
    assert pick_node(candidates) == picked


def test_why_no_node_can_be_dumped_is_said_of_each() -> None:
    assert why_none({"b": node(desynced=True), "a": node(state="Joined")}) == [
        "a: Joined, Primary",
        "b: wsrep_desync is on; see who has set it",
    ]


def test_a_node_that_is_desynced_already_is_left_so() -> None:
    change = desync(SERVER)
    assert change.already is not None
    assert change.already(FakeShell().on("mysql", say=DONOR))
    assert not change.already(FakeShell().on("mysql", say=SYNCED))


def test_a_node_counts_as_set_back_once_it_is_synced() -> None:
    change = resync(SERVER, 60)
    assert change.already is not None
    assert change.until is not None
    assert not change.already(FakeShell().on("mysql", say=DONOR))
    between = SYNCED.replace("Synced", "Joined")
    assert change.until.look(FakeShell().on("mysql", say=between)) == "Joined, Primary"
    assert change.until.look(FakeShell().on("mysql", say=SYNCED)) == change.until.wanted


class Host:
    """A folder whose podman and mysql stand for a host with a node."""

    def __init__(self, folder: Path, status: str = "running", server: bool = True) -> None:
        self.folder = folder
        (folder / "desync").write_text("1")
        (folder / "queue").write_text("2")
        self._program("podman", f'[ "$1" = inspect ] && {{ echo {status}; exit; }}; shift 2; exec "$@"')
        # Of processes the host's own are seen: grep stands for the look at them.
        self._program("grep", f"exit {0 if server else 1}")
        self._program(
            "mysql",
            f"""cd {folder}
            case "${{@: -1}}" in
              *"SELECT @@GLOBAL.wsrep_desync") cat desync ;;
              *wsrep_local_recv_queue*)
                n=$(cat queue); printf 'wsrep_local_recv_queue\\t%s\\n' "$n"
                [ "$n" = 0 ] || [ -e stuck ] || echo $((n - 1)) >queue ;;
              *"SET GLOBAL wsrep_desync = OFF") cp queue queue-then; echo 0 >desync ;;
            esac""",
        )

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (self.folder / name).chmod(0o755)

    def resync(self, within_s: int = 30) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.run(resync_words(SERVER, within_s), env=environment, capture_output=True, text=True)

    def desynced(self) -> bool:
        return (self.folder / "desync").read_text().strip() == "1"


def test_it_is_set_back_once_the_queue_has_drained(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.resync().returncode == 0
    assert not host.desynced()
    assert (tmp_path / "queue-then").read_text().strip() == "0"


def test_it_is_left_desynced_while_the_queue_is_full(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "stuck").touch()
    done = host.resync(within_s=0)
    assert done.returncode == 1
    assert "the receive queue has not drained within 0 s" in done.stderr
    assert host.desynced()


def test_a_node_in_sync_is_left_alone(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "desync").write_text("0")
    assert host.resync().returncode == 0
    assert not (tmp_path / "queue-then").exists()


@pytest.mark.parametrize(("status", "server"), [("exited", True), ("running", False)])
def test_where_nothing_runs_nothing_is_to_do(status: str, server: bool, tmp_path: Path) -> None:
    host = Host(tmp_path, status, server)
    assert host.resync().returncode == 0
    assert host.desynced(), "nobody was asked"


def test_a_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host._program("mysql", "exit 1")
    assert host.resync().returncode != 0
