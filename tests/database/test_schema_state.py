"""What a real server says of its schemas before some of them are replaced."""

from __future__ import annotations

import subprocess
import time

import pytest

from tasks.database.schema_scripts import MARK
from tasks.database.schema_state import read_missing_definers, read_schema_state, read_sleeping_events
from tests.database.local_server import LocalServer


@pytest.fixture
def server(target: LocalServer) -> LocalServer:
    target.empty()
    target.sql("CREATE DATABASE nova; CREATE DATABASE heat; CREATE DATABASE nova_kept_x;")
    target.sql(f"CREATE TABLE nova_kept_x.{MARK} (id INT PRIMARY KEY)")
    target.sql(
        "CREATE TABLE nova.p (id INT PRIMARY KEY); CREATE TABLE nova.c (id INT, FOREIGN KEY (id) REFERENCES nova.p (id))"
    )
    return target


def test_schemas_and_those_that_keep_others_are_told_apart(server: LocalServer) -> None:
    state = read_schema_state(server.shell, server.server)
    assert state.schemas >= {"nova", "heat", "nova_kept_x", "mysql"}
    assert state.kept == {"nova_kept_x"}
    assert (list(state.leads_into("nova")), state.ddl) == ([], ())


def test_foreign_keys_from_other_schemas_are_told_also_where_theirs_is_gone(server: LocalServer) -> None:
    server.sql("CREATE TABLE heat.stack (id INT, FOREIGN KEY (id) REFERENCES nova.p (id))")
    assert list(read_schema_state(server.shell, server.server).leads_into("nova")) == ["heat.stack"]
    server.sql("SET foreign_key_checks = 0; DROP DATABASE nova")
    assert list(read_schema_state(server.shell, server.server).leads_into("nova")) == ["heat.stack"]


def test_a_statement_that_changes_definitions_is_told_by_its_first_word(server: LocalServer) -> None:
    words = server.server.client("--execute= create TABLE nova.slow AS SELECT SLEEP(3) AS secret")
    slow = subprocess.Popen(words, env=server.shell.environment)
    # What else is asked for waits for the statement's end: begun a moment before it, the question would never see it.
    while server.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'create%'").strip() != "1":
        assert slow.poll() is None, "it came to its end before it was seen"
        time.sleep(0.02)
    ddl = read_schema_state(server.shell, server.server).ddl
    assert slow.wait(60) == 0
    assert len(ddl) == 1
    assert ddl[0].startswith("CREATE of root (connection ")
    assert "secret" not in ddl[0]


def test_who_has_defined_something_and_is_not_there_is_told(server: LocalServer) -> None:
    server.sql("CREATE USER 'there'@'%'; CREATE DEFINER = 'there'@'%' PROCEDURE nova.well() SELECT 1")
    server.sql("CREATE DEFINER = 'gone'@'%' PROCEDURE nova.of_nobody() SELECT 1")
    server.sql("CREATE DEFINER = 'gone'@'%' SQL SECURITY INVOKER VIEW nova.of_whoever_asks AS SELECT 1")
    assert read_missing_definers(server.shell, server.server, ["nova"]) == [
        "procedure nova.of_nobody is defined by gone@%, an account that is not there: it fails when it is used"
    ]


def test_events_that_run_nowhere_are_told(server: LocalServer) -> None:
    server.sql(
        "CREATE EVENT nova.runs ON SCHEDULE EVERY 1 DAY DO DO 1; CREATE EVENT nova.off ON SCHEDULE EVERY 1 DAY DISABLE DO DO 1"
    )
    server.sql("CREATE EVENT nova.sleeps ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE DO DO 1")
    (told,) = read_sleeping_events(server.shell, server.server, ["nova"])
    assert told.startswith("event nova.sleeps runs nowhere")
    assert read_sleeping_events(server.shell, server.server) == [told]
    assert read_sleeping_events(server.shell, server.server, ["heat"]) == []
