"""What one restore of accounts is made from: the nodes, the backup's accounts, and which of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from blocks.remote.shell import Shell
from tasks.backup.choice import LATEST_VERIFIED
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import Difference, compare
from tasks.database.mariadb import Server
from tasks.engine.journal import Journal
from tasks.engine.journals import STATE_DIRECTORY
from tasks.engine.run import TakeUp

NAME = "restore-accounts"
# The accounts as they were; beside the journals.
FOLDER = f"{STATE_DIRECTORY}/{NAME}/accounts"
_MOST = 20


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        accounts: Users, at whatever host, or roles; empty for all that differ.
        backup: Of which backup; empty for the latest verified one.
        unverified: Whether that may be one that nobody has verified.
    """

    accounts: tuple[str, ...]
    backup: str
    unverified: bool

    @property
    def wanted(self) -> str:
        """The backup, as `tasks.backup.choice.choose` takes it."""
        return self.backup or LATEST_VERIFIED


class RestoreState(BaseModel):
    """What a run records for the next one.

    Attributes:
        backup: What tells the backup from any other.
    """

    backup: str = ""


@dataclass
class Seen:
    """What the steps of one run have seen.

    Attributes:
        differences: Host → what differs after all.
    """

    differences: dict[str, tuple[Difference, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What is restored: all that the steps are made from.

    Attributes:
        hosts: The nodes; on the first one all is done.
        servers: Host → its MariaDB.
        backup: What the backup is, for a sentence.
        expected: Its accounts.
        chosen: Those that differ and are replaced → what differs.
        left: Those that differ and stay → why.
        sql: What replaces them.
        journal: A new one, or that of the run which this one goes on with.
        supersedes: An earlier run that counts as ended.
        seen: What a step has seen.
    """

    hosts: list[Shell]
    servers: Mapping[str, Server]
    backup: str
    expected: ServerContents
    chosen: Mapping[str, tuple[str, ...]]
    left: Mapping[str, str]
    sql: str = field(repr=False)
    journal: Journal
    supersedes: Journal | None = None
    seen: Seen = field(default_factory=Seen)

    @property
    def first(self) -> Shell:
        """The node on which all is done."""
        return self.hosts[0]

    @property
    def node(self) -> Server:
        """Its MariaDB."""
        return self.servers[self.first.name]

    @property
    def kept(self) -> str:
        """The file with the accounts as they are."""
        return file_of(self.journal)

    @property
    def take_up(self) -> TakeUp:
        """Where it is taken up; steps are always taken."""
        return TakeUp(self.journal, (), self.supersedes)

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        if not self.chosen:
            return f"nothing to do: the accounts are as in {self.backup}"
        told = "; ".join(f"{account} {', '.join(whys)}" for account, whys in list(self.chosen.items())[:_MOST])
        more = f"; and {len(self.chosen) - _MOST} more" if len(self.chosen) > _MOST else ""
        return f"makes {len(self.chosen)} accounts and roles what they are in {self.backup}: {told}{more}"

    def differences(self, found: ServerContents) -> Iterator[Difference]:
        """What differs still of those that are replaced.

        Args:
            found: What a node has.
        """
        for account, difference in differing(self.expected, found):
            if account in self.chosen:
                yield difference


def file_of(journal: Journal) -> str:
    """The file with the accounts as they were before a journal's first attempt."""
    return f"{FOLDER}/{journal.stamp}.sql"


def differing(expected: ServerContents, found: ServerContents) -> Iterator[tuple[str, Difference]]:
    """The accounts and roles of a backup that a server has not, or has in another way, with what differs.

    Those that the server has besides are none of the backup's business.

    Args:
        expected: The backup's.
        found: The server's.
    """
    accounts = {name: account for name, account in found.accounts.items() if name in expected.accounts}
    compared = compare(_accounts(expected), _accounts(found.model_copy(update={"accounts": accounts})))
    for difference in compared.differences:
        yield difference.where.removeprefix("account "), difference


def _accounts(contents: ServerContents) -> ServerContents:
    return contents.model_copy(update={"schemas": {}, "unreadable": {}})
