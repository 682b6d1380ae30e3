"""Everything that a restore of accounts needs to know and to be sure of before its first change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from blocks.remote import secrets
from blocks.remote.command import question
from blocks.remote.errors import Refused, RunbookError
from tasks.backup.manifest import Kind
from tasks.database.account_replacing import replacing_sql, statements_of
from tasks.database.contents import ServerContents
from tasks.database.contents_reading import read_accounts
from tasks.database.grants import parse_grants
from tasks.database.mariadb import Server, parse_version, read_version
from tasks.database.statement_reader import NotUnderstood
from tasks.engine.checks import Check
from tasks.engine.journal import Journal
from tasks.engine.run import Run
from tasks.node.podman import read_file
from tasks.runbooks.restore_accounts.job import Job, Request, RestoreState, differing, file_of
from tasks.runbooks.stored_database.database import StoredDatabase
from tasks.runbooks.stored_database.preflight import find_database
from tasks.runbooks.stored_database.serving_cluster import look_at_cluster
from tasks.runbooks.verify_backup.drill import contents_of

_KIND = Kind("backup-control-plane", "overcloud", "logical")
_ACCOUNTS = "accounts"
# The password that a node gives to the one from which it copies the database.
_SST_USER = re.compile(r"^\s*wsrep_sst_auth\s*=\s*[\"']?([^:\"'\s]+):", re.MULTILINE)


@dataclass(frozen=True)
class _Backup:
    """The backup, its accounts, and its grants file."""

    stored: StoredDatabase
    accounts: ServerContents
    grants: str = field(repr=False)


def look(run: Run, request: Request) -> Job:
    """Look at everything on all nodes, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        request: What the operator asks for.

    Returns:
        What the steps are made from.

    Raises:
        Refused: With every reason.
    """
    servers = look_at_cluster(run)
    server = servers[run.first.name]
    backup = _look_at_backup(run, request, server)
    if backup is None:
        raise Refused(run.name, run.reasons)
    found = read_accounts(run.first, server)
    run.checks += _check_named(request, backup)
    protected = _protected(run, server, backup.accounts, found)
    differences: dict[str, tuple[str, ...]] = {}
    for account, difference in differing(backup.accounts, found):
        differences[account] = (*differences.get(account, ()), difference.what)
    chosen = {each: whys for each, whys in differences.items() if _is_named(each, request) and each not in protected}
    left = {each: why for each, why in protected.items() if each in differences and _is_named(each, request)}
    run.checks += [_refused(each, why) for each, why in left.items() if request.accounts]
    run.refuse_if_any()
    journal, supersedes = _journal(run, backup)
    return Job(
        hosts=[run.shells[name] for name in servers],
        servers=servers,
        backup=str(backup.stored),
        expected=backup.accounts,
        chosen=chosen,
        left=left,
        sql=replacing_sql(backup.grants, chosen.keys(), found.accounts),
        journal=journal,
        supersedes=supersedes,
    )


def _look_at_backup(run: Run, request: Request, server: Server) -> _Backup | None:
    """Find the backup, and read its grants file; what is wrong with it becomes a check."""
    version = read_version(run.first, server.container)
    stored = find_database(run, [_KIND], request.wanted, request.unverified, version)
    if stored is None or not all(check.ok for check in run.checks if check.name == "backup"):
        return None
    try:
        manifest = stored.store.manifest(stored.store.catalogue().find(str(stored.name)))
        accounts = contents_of(manifest, _KIND.database)
        if parse_version(accounts.version) != version:
            reason = f"{stored.name} is of MariaDB {accounts.version}, and the cluster is {version}: privileges differ"
            raise RunbookError(reason, "restore all of it with restore-galera, which can go from an older one")
        return _Backup(stored, accounts, _read_grants(stored))
    except NotUnderstood as error:
        reason = f"the grants of {stored.name}: {error}"
        run.checks.append(Check("backup", "", "", reason, "restore from another backup"))
    except RunbookError as error:
        run.checks += Check.of(error, "backup")
    return None


def _read_grants(stored: StoredDatabase) -> str:
    """The grants file, as it was sealed; its password hashes stay in this process, and are masked wherever they would show.

    Raises:
        NotUnderstood: It ends in the middle of a statement, or has something that is none of a grants file.
        RunbookError: It is not there as it was sealed.
    """
    file = next((file for file in stored.files if file.role == "grants"), None)
    if file is None or file.compression != "none":
        raise RunbookError(f"{stored.name} has no grants file that can be read", "restore from another backup")
    text = stored.store.shell.run(question("cat", f"{stored.store.base}/{stored.name}/{file.name}")).stdout
    if hashlib.sha256(text.encode()).hexdigest() != file.sha256:
        raise RunbookError(
            f"{file.name} of {stored.name} was changed: its checksum is another", "restore from another backup"
        )
    for access in (parse_grants(text).access if text.strip() else {}).values():
        for login in access.logins:
            if login.hash:
                secrets.register(login.hash)
    list(statements_of(text))
    return text


def _is_named(account: str, request: Request) -> bool:
    return not request.accounts or user_of(account) in request.accounts


def user_of(account: str) -> str:
    """The user of `'user'@'host'`, or the name of `role name`."""
    return account.removeprefix("role ") if account.startswith("role ") else account[1:].rpartition("'@'")[0]


def _check_named(request: Request, backup: _Backup) -> Iterator[Check]:
    there = sorted({user_of(account) for account in backup.accounts.accounts})
    for name in request.accounts:
        if name not in there:
            hint = f"it has {', '.join(there)}; root and MariaDB's own accounts are in no backup"
            yield Check(_ACCOUNTS, "", "", f"{backup.stored.name} has no account or role {name}", hint)


def _protected(run: Run, server: Server, expected: ServerContents, found: ServerContents) -> Mapping[str, str]:
    """Accounts whose passwords hosts of the cluster have in files: with others, the cluster does without what they are for."""
    options = read_file(run.first, server.container, run.site.database.galera_options)
    sst = _SST_USER.search(options)
    why: dict[str, str] = {}
    for account in expected.accounts:
        grants = {*_global(expected, account), *_global(found, account)}
        if user_of(account) == "clustercheck":
            why[account] = "haproxy's health check logs in with it, by a password in a file of each controller"
        elif sst and user_of(account) == sst[1]:
            why[account] = "a node that joins copies the database with it, by a password in Galera's option file"
        elif "REPL SLAVE" in grants:
            why[account] = "it may replicate: a server elsewhere has its password"
    return why


def _global(contents: ServerContents, account: str) -> tuple[str, ...]:
    return contents.accounts[account].grants.get("*.*", ()) if account in contents.accounts else ()


def _refused(account: str, why: str) -> Check:
    hint = "change it by hand, with the files that have its password; or name others"
    return Check(_ACCOUNTS, "", "", f"{account} is not as in the backup, and is not replaced: {why}", hint)


def _journal(run: Run, backup: _Backup) -> tuple[Journal, Journal | None]:
    """The journal of this run, and the one that counts as ended.

    A run that was killed is gone on with whatever it replaced, so that the file with the accounts as they were is the first one's.
    """
    earlier, _ = run.journals.read()
    wanted = RestoreState(backup=backup.stored.fingerprint)
    if earlier is None or earlier.state_as(RestoreState) != wanted:
        new = Journal.model_copy(run.journal, deep=True)
        new.record_state(wanted)
        new.kept["accounts"] = file_of(new)
        return new, earlier
    earlier.attempts += 1
    return earlier, None
