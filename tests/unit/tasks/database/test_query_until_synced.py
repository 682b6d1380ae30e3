"""The script that asks the database again and again within its container."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tasks.database.mariadb import Server
from tasks.database.node_status import NodeStatus, parse_node_status, query_until_synced

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")


def row(name: str, value: str) -> str:
    return f"wsrep_{name}\t{value}"


def rows(state: str, status: str) -> str:
    """As MariaDB answers, which is not in the order of the names."""
    told = {"local_state_comment": state, "cluster_size": "3", "cluster_status": status, "ready": "ON"}
    return "\n".join(row(name, value) for name, value in told.items())


class Container:
    """A folder that stands for the container: its client gives one answer after the other, and then the last one again."""

    def __init__(self, folder: Path, *answers: str) -> None:
        self.folder = folder
        for number, answer in enumerate(answers, 1):
            (folder / str(number)).write_text(answer)
        client = f'echo "$*" >> asked; n=$(wc -l < asked); [ -e $n ] || n={len(answers)}; cat $n; [ -s $n ]'
        (folder / "mysql").write_text(f"#!/bin/bash\ncd {folder}\n{client}\n")
        (folder / "mysql").chmod(0o755)

    def member(self, seconds: int = 5) -> NodeStatus:
        """Ask as the wait for a node does."""
        asked = query_until_synced(SERVER, seconds)
        assert asked.words[:3] == ("podman", "exec", SERVER.container)
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run(asked.words[3:], env=environment, capture_output=True, text=True, timeout=20, check=True)
        return parse_node_status(done.stdout)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


def test_it_asks_until_the_node_is_synced(tmp_path: Path) -> None:
    container = Container(
        tmp_path,
        "",
        rows("Joining", "Primary"),
        rows("Synced", "non-Primary"),
        rows("Synced", "Primary"),
        rows("Lost", "Primary"),
    )
    assert container.member().synced
    assert len(container.asked) == 4


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    container = Container(tmp_path, "\n".join(reversed(rows("Synced", "Primary").splitlines())))
    assert container.member().synced
    assert len(container.asked) == 1


def test_a_node_that_is_synced_is_asked_once_and_through_the_socket(tmp_path: Path) -> None:
    container = Container(tmp_path, rows("Synced", "Primary"))
    assert container.member() == NodeStatus("Synced", "Primary", 3, "")
    (words,) = container.asked
    assert words.startswith("--defaults-extra-file=/root/.my.cnf --socket=/var/lib/mysql/mysql.sock -uroot ")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (rows("Donor/Desynced", "Primary"), "Donor/Desynced, Primary"),
        (rows("Initialized", "Disconnected"), "Initialized, Disconnected"),
        ("", "no answer, no status"),
    ],
)
def test_when_its_time_is_over_it_says_the_last_answer(tmp_path: Path, answer: str, said: str) -> None:
    container = Container(tmp_path, answer)
    assert str(container.member(seconds=1)) == said
    assert len(container.asked) == 5
