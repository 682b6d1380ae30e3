"""The steps' changes: the accounts as they are go into a file, those that differ are replaced, and compared on every node."""

from __future__ import annotations

from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.database.account_replacing import keep_accounts, replace_accounts
from tasks.database.contents_reading import read_accounts
from tasks.database.grants_dumping import read_grants_text
from tasks.engine.change import Call, Change
from tasks.runbooks.restore_accounts.job import Job
from tasks.runbooks.stored_database.serving_cluster import CAUGHT_UP


def keep(job: Job) -> Change:
    """Write the accounts as they are into a file on the first node, readable by root alone; an earlier attempt's stays.

    Args:
        job: What is restored.
    """

    def do(shell: Shell, _: Watch) -> Performed:
        shell.run(keep_accounts(job.kept, read_grants_text(shell, job.node)))
        return "done"

    return Change((Call(f"write all accounts as statements to {job.kept}", do),))


def replace(job: Job) -> Change:
    """Replace those that differ.

    Args:
        job: What is restored.
    """
    return Change((replace_accounts(job.node, job.sql),))


def compare(job: Job) -> Change:
    """Look on a node whether they are as in the backup; `conclude` says what is not.

    Args:
        job: What is restored.
    """

    def do(shell: Shell, _: Watch) -> Performed:
        server = job.servers[shell.name]
        shell.run(server.statement(CAUGHT_UP))
        job.seen.differences[shell.name] = tuple(job.differences(read_accounts(shell, server)))
        return "done"

    return Change((Call(f"compare {len(job.chosen)} accounts and roles with {job.backup}", do),))


def conclude(job: Job) -> None:
    """End the run with what is not as in the backup.

    Args:
        job: What was restored.

    Raises:
        RunbookError: Something is not.
    """
    told = [f"{host}: {each}" for host, differences in job.seen.differences.items() for each in differences]
    if told:
        raise RunbookError(
            f"not as in {job.backup}: {'; '.join(told)}",
            f"a privilege may be for a table or a routine that is not there; the accounts as they were are in {job.kept}",
        )
