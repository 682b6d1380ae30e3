"""What is in a server, as it is kept with a backup: enough to find any difference, and no secret.

`tasks.database.inventory` is another thing: names and estimates, read within seconds from a server that may be broken, to say
what a restore would lose. Here everything is read, every row, and nothing is estimated.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tasks.database.mariadb import Version, parse_version

# The engines whose rows a snapshot holds.
_TRANSACTIONAL = {"innodb", "rocksdb", "tokudb"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableContents(_Model):
    """A table.

    Attributes:
        engine: Its storage engine.
        versioned: Whether it is system-versioned: a dump holds the rows of today, without their history.
        definition: The digest of its SHOW CREATE TABLE, without the counter of AUTO_INCREMENT.
        parts: What the definition consists of (`column id`, `index ix`, `check c`, `foreign key f`, `options`) → digest.
        rows: How many there are; None where they were not counted.
        content: The sum of all rows' hashes; None where they were not hashed.
        left_out: Why rows were neither counted nor hashed; empty where they were.
        written: When it was last written, as the server remembers it since its own start (UTC, in whole seconds); empty where it
            does not. It says that rows have come and gone between two looks, where their hash is the same in both.
    """

    engine: str
    versioned: bool = False
    definition: str = ""
    parts: dict[str, str] = Field(default_factory=dict)
    rows: int | None = None
    content: str | None = None
    left_out: str = ""
    written: str = ""

    @property
    def transactional(self) -> bool:
        """Whether a snapshot holds its rows; those of other engines may change while a dump is taken."""
        return self.engine.lower() in _TRANSACTIONAL


class SequenceContents(_Model):
    """A sequence.

    Attributes:
        definition: The digest of its SHOW CREATE SEQUENCE.
        next_value: What it gives next, once its cache is empty. It is no row of a snapshot: a dump reads it later.
        increment: Its step; 0 where Galera's nodes share the numbers among them.
    """

    definition: str = ""
    next_value: int | None = None
    increment: int = 1


class SchemaContents(_Model):
    """A schema.

    Attributes:
        charset: Its default character set.
        collation: Its default collation.
        tables: Name → table.
        sequences: Name → sequence.
        programs: `view`, `function`, `procedure`, `package`, `package body`, `event` or `trigger` → name → digest of its
            definition, definer and SQL mode included. A definition may hold a secret, so that nothing else of it is kept.
    """

    charset: str
    collation: str
    tables: dict[str, TableContents] = Field(default_factory=dict)
    sequences: dict[str, SequenceContents] = Field(default_factory=dict)
    programs: dict[str, dict[str, str]] = Field(default_factory=dict)


class AccountContents(_Model):
    """An account, or a role.

    Attributes:
        login: The digest of what it logs in with: plugin, and SHA-256 of the hash, which never leaves the server.
        limits: The digest of its limits, its TLS demands, whether it is locked, and whether its password is expired.
        grants: What for (`*.*`, `nova`.*) → the privileges, in the words of the server's tables, sorted.
        roles: Roles that it is given → whether it may give them on.
        default_role: The one that it has from its login on.
    """

    login: str
    limits: str
    grants: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    roles: dict[str, bool] = Field(default_factory=dict)
    default_role: str = ""


class ServerContents(_Model):
    """Everything in a server but its own schemas, and its own accounts and root.

    Attributes:
        version: `@@version`.
        galera: The cluster's UUID and the position, `UUID:SEQNO`; empty without Galera.
        schemas: Name → schema.
        accounts: `'user'@'host'`, or `role name` → account.
        unreadable: What could not be read → why.
        took_s: Seconds that reading took.
    """

    version: str
    galera: str = ""
    schemas: dict[str, SchemaContents] = Field(default_factory=dict)
    accounts: dict[str, AccountContents] = Field(default_factory=dict)
    unreadable: dict[str, str] = Field(default_factory=dict)
    took_s: int = 0

    @property
    def series(self) -> Version | None:
        """The version's series, of which the words of definitions depend."""
        return parse_version(self.version)

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        return sum(table.rows or 0 for schema in self.schemas.values() for table in schema.tables.values())
