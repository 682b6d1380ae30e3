"""What one restore of Galera is made from: the hosts, what preflight found, and how long each wait may take."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from blocks.database import GaleraDatabase
from blocks.site import Host
from tasks.database.mariadb import Server
from tasks.engine.change import Force
from tasks.node import firewall
from tasks.runbooks.restore_galera.preflight import Facts

Ending = Literal["adopt", "restart"]


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
class Job:
    """What is restored, from what, and how: all that the steps are made from.

    Attributes:
        hosts: The controllers; the first one is bootstrapped.
        database: The site's settings.
        facts: What preflight found.
        dump: Path of the dump on the first controller.
        grants: Path of the grants on the first controller.
        ending: How Pacemaker gets the cluster back.
        bounds: How long the waits may take.
        clients_in: Whether an earlier attempt has let clients in already.
        loaded: Whether an earlier attempt has loaded dump and grants already.
    """

    hosts: list[Host]
    database: GaleraDatabase
    facts: Facts
    dump: str
    grants: str
    ending: Ending
    bounds: Bounds
    clients_in: bool = False
    loaded: bool = False

    @property
    def fenced(self) -> bool:
        """Whether the steps that fence the cluster off are looked at again, should an earlier attempt have taken them."""
        return not self.clients_in

    @property
    def first(self) -> list[Host]:
        """The controller that the document calls Controller-0."""
        return self.hosts[:1]

    @property
    def rest(self) -> list[Host]:
        """The remaining controllers."""
        return self.hosts[1:]

    def server(self, host: Host) -> Server:
        """The MariaDB of a host."""
        return self.facts.servers[host.name]

    @property
    def blocked(self) -> Force:
        """In force from step 2 to step 22."""
        rule = f"iptables -D INPUT {shlex.join(firewall.rule(self.facts.vip, self.database.port))}"
        return Force(
            "clients",
            f"clients are blocked from {self.facts.vip}:{self.database.port} on every controller (`{rule}` unblocks)",
        )

    @property
    def unmanaged(self) -> Force:
        """In force from step 4 to step 25."""
        return Force("pacemaker", f"{self.facts.bundle} is unmanaged: Pacemaker neither watches nor heals the database")
