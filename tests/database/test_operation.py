"""What is under way on an undercloud is found in a real database, with the columns that Heat and Mistral give their tables."""

from __future__ import annotations

from tasks.runbooks.node_images.operation import Operation, read_in_progress
from tests.database.local_server import LocalServer

_HEAT = """
CREATE DATABASE heat;
CREATE TABLE heat.stack (id varchar(36) PRIMARY KEY, name varchar(255), action varchar(255), status varchar(255),
  owner_id varchar(36), deleted_at datetime);
INSERT INTO heat.stack VALUES ('1', 'overcloud', 'UPDATE', 'COMPLETE', NULL, NULL),
  ('2', 'overcloud-Controller-x', 'UPDATE', 'IN_PROGRESS', '1', NULL), ('3', 'gone', 'DELETE', 'IN_PROGRESS', NULL, '2026-11-27');
"""
_MISTRAL = """
CREATE DATABASE mistral;
CREATE TABLE mistral.workflow_executions_v2 (id varchar(36) PRIMARY KEY, workflow_name varchar(255), state varchar(20),
  task_execution_id varchar(36));
INSERT INTO mistral.workflow_executions_v2 VALUES ('1', 'tripleo.plan_management.v1.create', 'SUCCESS', NULL),
  ('2', 'tripleo.messaging.v1.send', 'RUNNING', '7');
"""


def test_a_stack_in_progress_and_a_workflow_that_runs_are_found(origin: LocalServer) -> None:
    origin.empty()
    assert read_in_progress(origin.shell, origin.server) == ([], [])
    origin.sql(_HEAT)
    assert read_in_progress(origin.shell, origin.server) == ([], []), "neither what is nested nor what is deleted"
    origin.sql("UPDATE heat.stack SET status = 'IN_PROGRESS' WHERE id = '1'")
    overcloud = Operation("stack", "overcloud", "UPDATE_IN_PROGRESS")
    assert read_in_progress(origin.shell, origin.server) == ([overcloud], [])
    origin.sql(_MISTRAL)
    assert read_in_progress(origin.shell, origin.server) == ([overcloud], []), "a workflow within another is its affair"
    origin.sql("UPDATE mistral.workflow_executions_v2 SET state = 'RUNNING' WHERE id = '1'")
    running = Operation("workflow", "tripleo.plan_management.v1.create", "RUNNING")
    assert read_in_progress(origin.shell, origin.server) == ([overcloud, running], [])


def test_a_table_with_other_columns_is_told_and_not_asked(origin: LocalServer) -> None:
    origin.empty()
    origin.sql("CREATE DATABASE heat; CREATE TABLE heat.stack (id int PRIMARY KEY, name varchar(255))")
    assert read_in_progress(origin.shell, origin.server) == ([], ["heat.stack"])
