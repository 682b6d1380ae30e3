"""Whether accounts and roles may do what the grants said, by what the server has on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blocks.remote.shell import Shell
from tasks.database.access import ALL, GRANT_OPTION, Access, Account, Authentication, Level, is_native
from tasks.database.grants import Grants
from tasks.database.mariadb import Server
from tasks.database.server_accounts import ServerAccounts, read_missing_objects, read_server_accounts
from tasks.engine.change import Change, Wait

_TABLE_PRIVILEGES = frozenset(
    ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "TRIGGER"]
) | {
    "CREATE VIEW",
    "SHOW VIEW",
}
_ROUTINE_PRIVILEGES = frozenset({"EXECUTE", "ALTER ROUTINE"})


def missing_accounts(found: ServerAccounts, grants: Grants) -> list[str]:
    """Accounts of the grants that the server does not have, and anonymous ones that it should not have."""
    roles = [Account(role, "") for role in grants.roles]
    wrong = [f"account {account} is missing" for account in grants.accounts if account not in found.access]
    wrong += [f"{role} is missing" for role in roles if role not in found.access]
    anonymous = (account for account in sorted(found.access) if account.user == "" and account.host)
    return wrong + [f"anonymous account {account} is there" for account in anonymous]


def differences(found: ServerAccounts, grants: Grants, missing_objects: frozenset[Level] = frozenset()) -> list[str]:
    """What accounts and roles may not do, or do in another way, though the grants said so.

    More than the grants said is no difference: a dump of the whole server brings accounts, too.

    Args:
        found: What the server has on record.
        grants: What the grants said.
        missing_objects: Tables and routines that the server does not have: nothing can be granted on them.
    """
    return [
        f"{account} {what}"
        for account, granted in sorted(grants.access.items())
        if account in found.access
        for what in _account_differences(account, granted, found, missing_objects)
    ]


def _account_differences(
    account: Account, granted: Access, found: ServerAccounts, missing_objects: frozenset[Level]
) -> Iterator[str]:
    held = found.access[account]
    for level, privileges in sorted(granted.privileges.items()):
        if level in missing_objects:
            continue
        missing = _missing_privileges(
            level, privileges, held.privileges.get(level, frozenset()), found.privilege_columns
        )
        if missing:
            yield f"has not on {level}: {', '.join(sorted(missing))}"
    for role, admin in sorted(granted.roles.items()):
        if role not in held.roles:
            yield f"has not the role {role}"
        elif admin and not held.roles[role]:
            yield f"may not give on the role {role}"
    if granted.default_role and granted.default_role != held.default_role:
        yield f"has not the default role {granted.default_role}"
    # Root's password is the site's, whatever the grants say.
    if account.host and account.user != "root" and granted.logins and not _may_log_in(granted, held):
        yield "logs in with something else than the grants say (another password, or another plugin)"


def _may_log_in(granted: Access, held: Access) -> bool:
    return any(_same_login(wanted, login) for wanted in granted.logins for login in held.logins)


def _same_login(granted: Authentication, held: Authentication) -> bool:
    same_plugin = granted.plugin == held.plugin or (is_native(granted) and is_native(held))
    return same_plugin and (granted.hash is None or granted.hash.upper() == (held.hash or "").upper())


def _missing_privileges(
    level: Level, granted: frozenset[str], held: frozenset[str], privilege_columns: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    columns = privilege_columns.get(level.kind, frozenset()) - {GRANT_OPTION}
    all_privileges = {"global": columns, "schema": columns, "table": _TABLE_PRIVILEGES}.get(
        level.kind, _ROUTINE_PRIVILEGES
    )
    if ALL in granted:
        missing = (all_privileges | (granted & {GRANT_OPTION})) - held
        return frozenset({ALL}) if all_privileges and missing >= all_privileges else missing
    if level.kind in {"global", "schema"}:
        # What is new in 10.5 has no column.
        granted &= columns | {GRANT_OPTION}
    return granted - held


def check_accounts(server: Server, grants: Grants) -> Change:
    """Look whether every account of the grants is there, and no anonymous one; report what any of them may not do."""

    def look(shell: Shell) -> str:
        return "; ".join(missing_accounts(read_server_accounts(shell, server), grants)) or "as in the grants"

    def find_differences(shell: Shell) -> list[str]:
        found = read_server_accounts(shell, server)
        if not differences(found, grants):
            return []
        levels = {level for access in grants.access.values() for level in access.privileges}
        missing_objects = read_missing_objects(shell, server, levels)
        return [f"not as the grants say: {difference}" for difference in differences(found, grants, missing_objects)]

    return Change(
        (),
        until=Wait("the accounts", "as in the grants", look, 1, "the dump and the grants do not belong together"),
        findings_after=find_differences,
    )
