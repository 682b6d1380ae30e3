"""What is asked for, and what is backed up."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.command import Command
from blocks.remote.shell import Shell
from tasks.backup.manifest import Kind, Method
from tasks.database.mariadb import Server
from tasks.node import hiera

METHODS: tuple[Method, ...] = ("logical", "physical")
# Where nobody says how: both, where the image can copy.
BY_DEFAULT = METHODS


@dataclass(frozen=True)
class Bounds:
    """How long and how large things may be.

    Attributes:
        transfer_s: Seconds for a dump, and for a physical copy, to reach the store.
        hash_s: Seconds after which no table's hashing is begun.
        hash_bytes: A table with more is neither counted nor hashed.
        drain_s: Seconds for a node of Galera to catch up afterwards.
    """

    transfer_s: int
    hash_s: int
    hash_bytes: int
    drain_s: int


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        runbook: The runbook's name.
        methods: How the database is backed up; None for what is done where nobody says how.
        documented_file: Whether the files that the document's commands write are written on the host as well.
        bounds: How long and how large things may be.
    """

    runbook: str
    methods: tuple[Method, ...] | None
    documented_file: bool
    bounds: Bounds


@dataclass(frozen=True)
class HieraPassword:
    """Where the deployment's password of root stands, on the source's host.

    Attributes:
        config: Configuration file of hiera.
        key: The key.
    """

    config: str
    key: str

    @property
    def question(self) -> Command:
        """The documented question (BR 1.5 step 2)."""
        return hiera.ask(self.config, self.key)


@dataclass(frozen=True)
class Source:
    """The server that is backed up.

    Attributes:
        database: What it is in the manifest: `overcloud`, `undercloud`.
        host: Its host.
        server: The server.
        image: The id of its container's image.
        galera: Whether it is a node of a Galera cluster.
        password: Where root's password stands.
    """

    database: str
    host: Shell
    server: Server
    image: str
    galera: bool
    password: HieraPassword

    def kind(self, runbook: str, method: Method) -> Kind:
        """What a backup of it is compared by."""
        return Kind(runbook, self.database, method)
