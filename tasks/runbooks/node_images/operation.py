"""Whether somebody operates the stack from the undercloud, or another schedule there makes images: then none may be begun.

A deployment that runs meanwhile would find services paused, and the image would hold half of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.database import UndercloudDatabase
from blocks.remote.command import question
from blocks.remote.shell import Shell
from blocks.site import UNDERCLOUD
from tasks.database.mariadb import Server
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import podman
from tasks.rear.schedules import read_crontab

_OPERATION, _SCHEDULE = "operation of the stack", "other schedule"
_NOT_ASKED = (
    "the site names no undercloud: nobody has looked whether the stack is operated on, or another schedule makes images"
)
# Commands that change a stack or an undercloud, and whatever Ansible does there. The brackets keep it from finding itself.
_VERBS = "deploy|update|upgrade|ffwd-upgrade|external-update|external-upgrade|node|cell|delete|install|backup|restore"
_AT_WORK = rf"[o]penstack (overcloud|undercloud) ({_VERBS})|[a]nsible-playbook[0-9.-]* "
# Heat and Mistral keep what is under way in the undercloud's database; asking their APIs would need a password. From Platform 17
# on the undercloud has neither.
# Table → the columns that are asked.
COLUMNS = {
    "heat.stack": ("name", "action", "status", "owner_id", "deleted_at"),
    "mistral.workflow_executions_v2": ("workflow_name", "state", "task_execution_id"),
}
_TABLES = """
SELECT CONCAT(table_schema, '.', table_name), column_name FROM information_schema.columns
 WHERE (table_schema = 'heat' AND table_name = 'stack') OR (table_schema = 'mistral' AND table_name = 'workflow_executions_v2');
"""
_IN_PROGRESS = {
    "heat.stack": "SELECT 'stack', name, CONCAT(action, '_', status) FROM heat.stack "
    "WHERE status = 'IN_PROGRESS' AND owner_id IS NULL AND deleted_at IS NULL;",
    "mistral.workflow_executions_v2": "SELECT 'workflow', workflow_name, state FROM mistral.workflow_executions_v2 "
    "WHERE state = 'RUNNING' AND task_execution_id IS NULL;",
}
_OTHERCOLUMNS = "has other columns than Heat and Mistral give it: nobody has looked whether the stack is operated on"
_HINTS = {
    "stack": "wait until `openstack stack list` on the undercloud has it complete",
    "workflow": "wait for it; one that hangs: `openstack workflow execution list`, then `… update --state ERROR ID`",
    "process": "wait until it has ended",
}


@dataclass(frozen=True)
class Operation:
    """What is under way on the undercloud.

    Attributes:
        what: `stack`, `workflow` or `process`.
        name: Which; of a process its first words.
        state: Heat's or Mistral's word, or `at work`.
    """

    what: str
    name: str
    state: str

    @property
    def check(self) -> Check:
        """What it keeps from beginning."""
        return Check(_OPERATION, UNDERCLOUD, "", f"{self.what} {self.name} is {self.state}", _HINTS[self.what])


def look_at_operation(run: Run) -> None:
    """Look at the undercloud; what is under way there, and lines of crontabs that start a backup, are checks of the run.

    Args:
        run: The run.
    """
    if not run.site.undercloud:
        run.facts.append(_NOT_ASKED)
        return
    undercloud = [run.shells[run.site.named(UNDERCLOUD).name]]
    settings, users = run.site.undercloud_database, dict.fromkeys(("root", run.site.rear.ansible_user))
    seen = run.everywhere(_OPERATION, lambda shell: read_operations(shell, settings, run.name), undercloud)
    for found, unlike in seen.values():
        run.checks += [each.check for each in found] or [Check(_OPERATION, UNDERCLOUD, "nobody operates on the stack")]
        run.facts += [f"{table} {_OTHERCOLUMNS}" for table in unlike]
    crontabs = run.everywhere(_SCHEDULE, lambda shell: {user: read_crontab(shell, user) for user in users}, undercloud)
    hints = {run.site.rear.ansible_user: "start install-rear with disable_cron=true, which makes a comment of it"}
    by_hand = "make a comment of it: `crontab -u {} -e`"
    run.checks += [
        Check(
            _SCHEDULE,
            UNDERCLOUD,
            "",
            f"the crontab of {user} starts a backup as well: {line}",
            hints.get(user, by_hand.format(user)),
        )
        for lines in crontabs.values()
        for user, found in lines.items()
        for line in found
    ]


def read_operations(undercloud: Shell, database: UndercloudDatabase, runbook: str) -> tuple[list[Operation], list[str]]:
    """Ask the undercloud what is under way: programs, Heat's stacks, Mistral's workflows.

    Args:
        undercloud: The undercloud.
        database: Its database.
        runbook: The runbook's name.

    Returns:
        What is under way, and names of tables that could not be asked.

    Raises:
        HostError: Its database does not answer.
    """
    said = undercloud.run(question("pgrep", "--full", "--list-full", _AT_WORK, ok=(0, 1))).stdout
    found = parse_processes(said)
    if database.container not in podman.names(undercloud):  # and so neither Heat's nor Mistral's database
        return found, []
    server = Server(database.container, database.data_directory, database.client_options, runbook)
    in_progress, unlike = read_in_progress(undercloud, server)
    return found + in_progress, unlike


def read_in_progress(undercloud: Shell, server: Server) -> tuple[list[Operation], list[str]]:
    """Ask the undercloud's database for stacks of Heat's that are in progress, and workflows of Mistral's that run.

    Args:
        undercloud: The undercloud.
        server: Its database.

    Returns:
        These, and names of tables that have other columns than Heat's and Mistral's.

    Raises:
        HostError: It does not answer.
    """
    rows = [line.split("\t") for line in undercloud.run(server.statement(_TABLES)).stdout.splitlines()]
    columns: dict[str, set[str]] = {}
    for table, column in rows:
        columns.setdefault(table, set()).add(column)
    known = [table for table in sorted(columns) if columns[table] >= set(COLUMNS[table])]
    unlike = [table for table in sorted(columns) if table not in known]
    if not known:
        return [], unlike
    ask = server.statement("\n".join(_IN_PROGRESS[table] for table in known))
    return parse_in_progress(undercloud.run(ask).stdout), unlike


def parse_processes(text: str) -> list[Operation]:
    """Find what is at work in what `pgrep --list-full` prints; nothing more of a command line is told, which may hold a secret."""
    found = (re.search(_AT_WORK, line) for line in text.splitlines())
    return [Operation("process", name, "at work") for name in dict.fromkeys(each[0].strip() for each in found if each)]


def parse_in_progress(text: str) -> list[Operation]:
    """Read rows of what, name and state."""
    rows = (line.split("\t") for line in text.splitlines())
    return [Operation(*row) for row in rows if len(row) == 3]
