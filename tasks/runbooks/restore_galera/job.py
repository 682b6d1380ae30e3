"""What one restore of Galera is made from: the hosts, what preflight found, and how long each wait may take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from blocks.database import GaleraDatabase
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, Site
from tasks.backup.choice import LATEST_VERIFIED
from tasks.database.dump_parts import Parts
from tasks.database.grants import Grants
from tasks.database.losses import Loss
from tasks.database.mariadb import Server, Version, root_password_sql
from tasks.engine.steps import Fence
from tasks.node import firewall
from tasks.runbooks.restore_galera.fetched_backup import FetchedBackup
from tasks.runbooks.restore_galera.new_data import Making, NewData
from tasks.runbooks.restore_galera.resume import Resume, nothing_known

NAME = "restore-galera"
Ending = Literal["adopt", "restart"]
# How a backup is restored: its new data is made beside the old, or its dump is loaded in the documented order.
Method = Literal["beside", "documented"]
# Where the document has them.
_DUMP, _GRANTS = "/home/heat-admin/openstack_database.sql", "/home/heat-admin/grants.sql"


def hosts_of_restore(site: Site, parameters: Mapping[str, Any]) -> list[str]:
    """The groups of a restore's run: the database's, those where clients come in, and the store's where a backup is wanted.

    Args:
        site: The site.
        parameters: The flow's.
    """
    from_store = bool(parameters.get("backup")) or not (parameters.get("dump") or parameters.get("grants"))
    return [*site.database_roles(), *([BACKUP_NODE] if from_store and site.store else [])]


@dataclass(frozen=True)
class Bounds:
    """How long each kind of wait may take, in seconds.

    Attributes:
        start_s: For a database to start, or to shut down.
        load_s: For the import.
        join_s: For a node to join: a copy of the whole database.
        adopt_s: For Pacemaker to adopt the running cluster, before the documented restart is taken instead.
        promote_s: For Pacemaker to promote all nodes after a restart.
    """

    start_s: int
    load_s: int
    join_s: int
    adopt_s: int
    promote_s: int


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        dump: Path of the dump on the first controller; empty where none is named.
        grants: Path of the grants on the first controller; empty where none is named.
        ending: How Pacemaker gets the cluster back.
        bounds: How long the waits may take.
        backup: Which backup of the store is restored; empty where none is named.
        unverified: Whether that may be one that nobody has verified.
        method: How a backup is restored; files always are as documented.
    """

    dump: str
    grants: str
    ending: Ending
    bounds: Bounds
    backup: str = ""
    unverified: bool = False
    method: Method = "beside"

    def on(self, site: Site) -> Request:
        """What that means on a site: where nothing is named, its newest verified backup, or without a store the documented files.

        Raises:
            RunbookError: A backup and files are named.
        """
        if self.backup and (self.dump or self.grants):
            raise RunbookError("`backup` is given, and files as well", "give a backup, or `dump` and `grants`")
        if self.backup or (site.store and not (self.dump or self.grants)):
            return replace(self, backup=self.backup or LATEST_VERIFIED)
        return replace(self, dump=self.dump or _DUMP, grants=self.grants or _GRANTS)


@dataclass(frozen=True)
class Facts:
    """What preflight found; the plan and every command are made from it alone.

    Attributes:
        vip: The database's virtual address.
        password: Root's password.
        version: The servers' version.
        bundle: Pacemaker's resource.
        pid_file: The one that the resource agent looks for.
        cluster_address: `gcomm://` and all nodes.
        servers: Host → its MariaDB.
        checks: Host → its clustercheck container.
        labelled: Hosts that label files for SELinux.
        grants: What the grants file holds.
        parts: What of the dump is loaded side by side.
        contents: The key of dump and grants.
        entrance: The hosts at which clients are kept off: the controllers, and others that may hold the virtual address.
        by_hand: Host → firewall rules that somebody has set, and that keep clients off as ours does.
        losses: What will be missing afterwards.
        new_data: The backup of which the new data is made beside the old; None where dump and grants are loaded in the
            documented order.
        fetched: The backup whose dump and grants these are; None for the documented files.
    """

    vip: str
    password: str = field(repr=False)
    version: Version
    bundle: str
    pid_file: str
    cluster_address: str
    servers: dict[str, Server]
    checks: dict[str, str]
    labelled: frozenset[str]
    grants: Grants
    parts: Parts | None = None
    contents: str = ""
    entrance: tuple[Shell, ...] = ()
    by_hand: Mapping[str, tuple[firewall.Words, ...]] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()
    new_data: NewData | None = None
    fetched: FetchedBackup | None = None


@dataclass(frozen=True)
class Job:
    """What is restored, from what, and how: all that the steps are made from.

    Attributes:
        hosts: The controllers; the first one is bootstrapped.
        database: The site's settings.
        request: What the operator asks for.
        facts: What preflight found.
        resume: Where an earlier attempt's work is taken up.
    """

    hosts: list[Shell]
    database: GaleraDatabase
    request: Request
    facts: Facts
    resume: Resume

    @property
    def bounds(self) -> Bounds:
        """How long the waits may take."""
        return self.request.bounds

    @property
    def old_data(self) -> str:
        """Where the old data is, or goes."""
        return self.resume.kept

    @property
    def fenced(self) -> bool:
        """Whether the steps that fence the cluster off are looked at again, should an earlier attempt have taken them."""
        return not self.resume.clients_in

    @property
    def loaded(self) -> bool:
        """Whether an earlier attempt has loaded dump and grants already."""
        return "15b" in self.resume.settled

    @property
    def first(self) -> list[Shell]:
        """The controller that the document calls Controller-0."""
        return self.hosts[:1]

    @property
    def rest(self) -> list[Shell]:
        """The remaining controllers."""
        return self.hosts[1:]

    @property
    def entrance(self) -> list[Shell]:
        """The hosts at which clients are kept off."""
        return list(self.facts.entrance) or self.hosts

    def server(self, host: Shell) -> Server:
        """The MariaDB of a host."""
        return self.facts.servers[host.name]

    @property
    def making(self) -> Making | None:
        """How the new data is made beside the old; None where dump and grants are loaded in the documented order."""
        facts, bounds = self.facts, self.bounds
        if facts.new_data is None:
            return None
        sql = root_password_sql(facts.version, facts.password)
        return Making(facts.new_data, self.hosts, facts.labelled, NAME, sql, bounds.start_s, bounds.load_s)

    @property
    def summary(self) -> str:
        """What is replaced with what, what will be missing, and where an earlier attempt's work is taken up."""
        names = ", ".join(host.name for host in self.hosts)
        source = self._source
        what = f"the database of {names} is replaced with {source}; the old data is kept on each as {self.old_data}"
        lost = "".join(f"\n- not restored: {loss.shown()}" for loss in self.facts.losses)
        return (f"{what}. {self.resume.why}" if self.resume.why else what) + lost

    @property
    def _source(self) -> str:
        """What is restored."""
        if self.facts.new_data:
            return str(self.facts.new_data.backup)
        if self.facts.fetched:
            return f"{self.facts.fetched.backup}, loaded in the documented order while nothing serves"
        return f"{self.request.dump} and {self.request.grants}"

    @property
    def firewall_findings(self) -> list[str]:
        """What the operator must know of firewall rules before step 2."""
        return [
            f"{name}: {len(rules)} firewall rule(s) that somebody has set by hand keep clients off {self.facts.vip}, too; step "
            f"22 deletes them with this runbook's own: {'; '.join(shlex.join(words) for words in rules)}"
            for name, rules in self.facts.by_hand.items()
        ]

    @property
    def grants_findings(self) -> list[str]:
        """What the operator must know of the grants before they are loaded."""
        fetched, grants = self.facts.fetched, self.facts.grants
        path = f"{fetched.backup.files[-1].name} of {fetched.backup.name}" if fetched else self.request.grants
        findings: list[str] = []
        if not any(account.user == "root" for account in grants.accounts):
            findings.append(
                f"{path} has no account of root: root@'%', which deployment tools may use through the virtual IP, is not "
                "restored; root logs in on the controllers alone"
            )
        if grants.doubled:
            findings.append(
                f"{path} was written by a client that doubles each backslash (`mysql -s -N` without --raw): this is undone in "
                "the copy, else privileges would be for schemas of other names"
            )
        return findings + [
            f"role {role} is granted in {path}, but not created there: it is created without privileges; grant them again"
            for role in grants.undefined_roles
        ]

    @property
    def blocked(self) -> Fence:
        """In force from step 2 to step 22."""
        vip, port = self.facts.vip, self.database.port
        rule = f"{firewall.program(vip)} -D INPUT {shlex.join(firewall.rule(vip, port))}"
        where = ", ".join(host.name for host in self.entrance)
        return Fence(
            "clients",
            f"clients are blocked from {vip}:{port} on {where} (`{rule}` unblocks)",
        )

    @property
    def unmanaged(self) -> Fence:
        """In force from step 4 to step 25."""
        return Fence("pacemaker", f"{self.facts.bundle} is unmanaged: Pacemaker neither watches nor heals the database")


def unknown_job(hosts: list[Shell], database: GaleraDatabase, request: Request) -> Job:
    """A job of which nothing is known yet: its steps have their numbers and their order, and no more."""
    servers = {host.name: Server("", database.data_directory, database.client_options, NAME) for host in hosts}
    facts = Facts(
        vip="0.0.0.0",  # noqa: S104 - the number of an address, bound to nothing
        password="",
        version=Version(10, 3),
        bundle=database.resource,
        pid_file="/",
        cluster_address="",
        servers=servers,
        checks={host.name: "" for host in hosts},
        labelled=frozenset(),
        grants=Grants((), (), ()),
    )
    return Job(hosts, database, request, facts, nothing_known())
