"""Dumps: is this one whole, of which version, who is in it; copying it to the database, and what must be there afterwards."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from blocks.remote.command import command, script
from blocks.remote.errors import HostError, Refused
from blocks.remote.shell import Shell
from tasks.database.mariadb import Server, Version, parse_version
from tasks.engine.change import Change, Wait

_ACCOUNT = r"(?P<q>['`\"])(?P<user>(?:(?!(?P=q)).)*)(?P=q)@(?P<p>['`\"])(?P<host>(?:(?!(?P=p)).)*)(?P=p)"


@dataclass(frozen=True)
class File:
    """What a host says of a file.

    Attributes:
        path: Where.
        size: Bytes; -1 if it does not exist.
        modified: Seconds since the epoch.
        head: Its first 4 KiB.
        tail: Its last 4 KiB.
    """

    path: str
    size: int
    modified: int
    head: str
    tail: str

    @property
    def fingerprint(self) -> str:
        """What tells this file from another one under the same name, without reading it all."""
        return f"{self.path} {self.size} bytes of {self.modified}"


_READ = r"""
[ -f "$1" ] || { echo "-1 0"; exit 0; }
stat -L -c "%s %Y" "$1"; head -c 4096 "$1" | base64 -w0; echo; tail -c 4096 "$1" | base64 -w0
"""


def read_file(shell: Shell, path: str) -> File:
    """Look at both ends of a file."""
    lines = [*shell.run(script(_READ, path, quiet=True, changes=False)).stdout.splitlines(), "", ""]
    size, modified = lines[0].split()
    head, tail = (base64.b64decode(line).decode(errors="replace") for line in lines[1:3])
    return File(path, int(size), int(modified), head, tail)


def why_not_dump(file: File, server: Version | None) -> list[str]:
    """What keeps this file from being restored as a dump.

    Args:
        file: Both its ends.
        server: The version that would load it; None where that is not known, which is a reason of its own.
    """
    if file.size < 0:
        return [f"dump {file.path} does not exist on the first controller"]
    if file.size == 0:
        return [f"dump {file.path} is empty"]
    reasons = []
    if not re.search(r"^-- (MariaDB|MySQL) dump ", file.head, re.MULTILINE):
        reasons.append(f"dump {file.path} does not begin as mysqldump begins one")
    if not re.search(r"^-- Dump completed[^\n]*\s*\Z", file.tail, re.MULTILINE):
        reasons.append(
            f"dump {file.path} is cut short: its last line is not '-- Dump completed'. mysql would load it, return 0, "
            "and rows would be missing; take another dump"
        )
    made_by = next((line for line in file.head.splitlines() if line.startswith("-- Server version")), "")
    version = parse_version(made_by)
    if version is None:
        reasons.append(f"dump {file.path} does not say which server it comes from")
    elif server is not None and version > server:
        reasons.append(f"dump {file.path} comes from MariaDB {version}, newer than this server's {server}")
    return reasons


def why_not_grants(file: File) -> list[str]:
    """What keeps this file from being loaded as grants."""
    if file.size < 0:
        return [f"grants {file.path} do not exist on the first controller"]
    if file.size == 0:
        return [f"grants {file.path} are empty"]
    if not file.tail.rstrip().endswith(";") or not file.tail.endswith("\n"):
        return [f"grants {file.path} are cut short: the last line is not a whole statement"]
    if not re.search(r"^(GRANT|CREATE (OR REPLACE )?(USER|ROLE))\b", file.head, re.MULTILINE):
        return [f"grants {file.path} hold no GRANT and no CREATE USER"]
    return []


@dataclass(frozen=True, order=True)
class Account:
    """An account of the grants file."""

    user: str
    host: str

    def __str__(self) -> str:
        return f"'{self.user}'@'{self.host}'"


@dataclass(frozen=True)
class Grants:
    """What a grants file holds.

    Attributes:
        accounts: Those that it creates or grants to.
        roles: Roles that it creates.
        undefined_roles: Roles that it grants or sets as default without creating them: loading would stop there.
    """

    accounts: tuple[Account, ...]
    roles: tuple[str, ...]
    undefined_roles: tuple[str, ...]


def parse_grants(text: str) -> Grants:
    """Read the statements of a grants file, one a line."""
    accounts: set[Account] = set()
    created: set[str] = set()
    named: set[str] = set()
    for line in (line for line in text.splitlines() if not line.lstrip().startswith(("--", "#", "/*"))):
        role = re.match(r"CREATE (?:OR REPLACE )?ROLE\s+(?:IF NOT EXISTS\s+)?[`'\"]?([^`'\";\s]+)", line, re.IGNORECASE)
        if role:
            created.add(role[1])
            continue
        target = re.search(
            rf"(?:\bTO|CREATE (?:OR REPLACE )?USER(?: IF NOT EXISTS)?|ALTER USER|\bFOR)\s+{_ACCOUNT}",
            line,
            re.IGNORECASE,
        )
        if target:
            accounts.add(Account(target["user"], target["host"]))
        granted = re.match(r"GRANT\s+[`'\"]?([A-Za-z0-9_.-]+)[`'\"]?\s+TO\s", line, re.IGNORECASE)
        if granted and granted[1].upper() not in {"PROXY", "USAGE"}:
            named.add(granted[1])
        default = re.match(r"SET DEFAULT ROLE\s+[`'\"]?([A-Za-z0-9_.-]+)", line, re.IGNORECASE)
        if default and default[1].upper() != "NONE":
            named.add(default[1])
    return Grants(tuple(sorted(accounts)), tuple(sorted(created)), tuple(sorted(named - created)))


def read_grants(shell: Shell, path: str) -> Grants:
    """Read a grants file; its password hashes stay in this process.

    Raises:
        Refused: A line is not a statement that a grants file has.
    """
    text = shell.run(script('cat "$1"', path, quiet=True, changes=False)).stdout
    strange = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
        and not re.match(r"\s*(--|#|/\*|GRANT|CREATE|ALTER|SET|REVOKE|FLUSH|DROP|USE)", line, re.IGNORECASE)
    ]
    if strange:
        raise Refused("grants", [f"grants {path}: line {strange[0]} is no statement of a grants file"])
    return parse_grants(text)


def copy_of(directory: str, path: str) -> str:
    """Where the copy of a file lies that the container sees."""
    return f"{directory}/{PurePosixPath(path).name}"


def copy_in(directory: str, *paths: str) -> Change:
    """Copy the files to where the container sees them, readable by root alone."""
    return Change(
        tuple(command("install", "-m", "600", path, copy_of(directory, path), timeout_s=3600) for path in paths)
    )


def remove_words(directory: str, *paths: str) -> tuple[str, ...]:
    """The words that remove the copies, which hold every row and every grant."""
    return ("rm", "-f", "--", *(copy_of(directory, path) for path in paths))


def missing_accounts(shell: Shell, server: Server, grants: Grants) -> list[str]:
    """Accounts of the grants that the server does not have, and anonymous ones that it should not have.

    Raises:
        HostError: The server does not answer.
    """
    rows = shell.run(server.statement("SELECT User, Host FROM mysql.user")).stdout
    there = {Account(*[*row.split("\t"), ""][:2]) for row in rows.splitlines()}
    if not there:
        raise HostError(shell.name, "the server lists no accounts")
    wrong = [f"account {account} is missing" for account in grants.accounts if account not in there]
    return wrong + [f"anonymous account {account} is there" for account in sorted(there) if account.user == ""]


def check_accounts(server: Server, grants: Grants) -> Change:
    """Look whether every account of the grants is there, and no anonymous one."""

    def look(shell: Shell) -> str:
        return "; ".join(missing_accounts(shell, server, grants)) or "as in the grants"

    return Change(
        (), until=Wait("the accounts", "as in the grants", look, 1, "the dump and the grants do not belong together")
    )
