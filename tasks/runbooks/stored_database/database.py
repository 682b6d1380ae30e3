"""The database of a backup set that is restored, and what brings it to a host and into a server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from blocks.remote.command import Command, question, script
from blocks.remote.connection import Action, Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.backup.backup_set import SetName
from tasks.backup.fetching import fetch
from tasks.backup.manifest import BackupFile, Compression, Method
from tasks.backup.store import Store
from tasks.database import dump_contents
from tasks.database.directory_checks import Needs
from tasks.database.grants import Grants
from tasks.database.mariadb import Server
from tasks.database.prepared_copy import Preparation
from tasks.database.sql_loading import SqlFile, load_sql, parse_loaded
from tasks.engine.change import Call
from tasks.runbooks.verify_backup.drill_host import data_bytes

_UNPACK: dict[Compression, tuple[str, ...]] = {"none": ("cat",), "gzip": ("gzip", "-dc"), "zstd": ("zstd", "-dqc")}
# A file of an earlier attempt may be open in an import that goes on: it is another file from then on.
_UNPACK_TO = """
umask 077
file=$1 path=$2
shift 2
rm -f -- "$path"
"$@" <"$file" >"$path"
"""


def _known(file: BackupFile) -> BackupFile:
    return file


@dataclass(frozen=True)
class StoredDatabase:
    """A database of a backup set.

    Attributes:
        store: The store that has the set.
        name: The set.
        manifest_sha256: What the catalogue says of its manifest.
        method: Of which of its backups.
        files: The files of that: the dump and its grants, in the order in which they are loaded; or the physical copy.
        verified: Whether the backup was verified.
        holds: What is in it, as losses are looked for.
        grants: Its accounts, in the same form.
        data_bytes: Size of the data directory that it was made of, as the manifest says it; 0 where it does not.
    """

    store: Store
    name: SetName
    manifest_sha256: str
    method: Method
    files: tuple[BackupFile, ...]
    verified: bool
    holds: dump_contents.Contents
    grants: Grants
    data_bytes: int = 0

    def __str__(self) -> str:
        """What it is, for a sentence."""
        return f"the {self.method} backup {self.name} ({'verified' if self.verified else 'NOT verified'})"

    @property
    def fingerprint(self) -> str:
        """What tells it from anything else that can be restored."""
        return f"{self.name} {self.method} {self.manifest_sha256}"

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody but who has the private key can read it."""
        return any(file.encryption != "none" for file in self.files)

    @property
    def key(self) -> str:
        """The same in a word, for names."""
        return hashlib.sha256(self.fingerprint.encode()).hexdigest()[:12]

    @property
    def shown_files(self) -> str:
        """Names of its files."""
        return ", ".join(file.name for file in self.files)

    @property
    def needs(self) -> Needs:
        """How much room it takes where it is fetched and loaded."""
        files = sum(file.size_bytes for file in self.files)
        if self.method == "physical" and self.data_bytes:
            return Needs(self.data_bytes, files)
        return Needs(sum(map(data_bytes, self.files)), files)

    def fetch(self, folder: str, within_s: float) -> tuple[Action[Shell], ...]:
        """Bring its files to a host; their checksums must be the manifest's.

        Args:
            folder: Where they go.
            within_s: Seconds for each.
        """
        return tuple(
            fetch(self.store, self.name, file.name, partial(_known, file), f"{folder}/{file.name}", within_s)
            for file in self.files
        )

    def prepare(
        self, image: str, directory: str, folder: str, runbook: str, within_s: float
    ) -> tuple[Action[Shell], ...]:
        """Unpack a physical copy, and prepare it: a server can start on the directory then.

        Args:
            image: The id of the image whose programs do it.
            directory: The directory that is made.
            folder: Where the copy is.
            runbook: The runbook's name: unit and container bear it.
            within_s: Seconds until it is ended.
        """
        (file,) = self.files
        preparation = Preparation(image, f"openstack-runbooks-{runbook}-copy", directory, f"{folder}/prepared", runbook)

        def see(shell: Shell, _: Watch) -> Performed:
            if problems := preparation.read(shell).problems:
                raise HostError(shell.name, "; ".join(problems), "restore from another backup")
            return "done"

        prepare = preparation.prepare(f"{folder}/{file.name}", _UNPACK[file.compression], within_s)
        return prepare, Call(f"see what preparing {file.name} came to", see)

    def unpack(self, folder: str, paths: Sequence[str], within_s: float) -> tuple[Command, ...]:
        """Unpack its files, each to a path of its own, readable by root alone.

        Args:
            folder: Where they were fetched to.
            paths: Where they go, in their order.
            within_s: Seconds for each.
        """
        return tuple(
            script(
                _UNPACK_TO,
                f"{folder}/{file.name}",
                path,
                *_UNPACK[file.compression],
                timeout_s=within_s,
                quiet=True,
                says=f"unpack {file.name} to {path}",
            )
            for file, path in zip(self.files, paths, strict=True)
        )

    def load(self, server: Server, folder: str, within_s: float) -> tuple[Action[Shell], ...]:
        """Load them, to the first error.

        Args:
            server: A server whose root has no password.
            folder: Where the files are.
            within_s: Seconds for each.
        """
        return tuple(
            action for number in range(len(self.files)) for action in self._load(server, folder, number, within_s)
        )

    def _load(self, server: Server, folder: str, number: int, within_s: float) -> Iterator[Action[Shell]]:
        """Load a file, and see what came of it: what is wrong with it is known only then."""
        file = self.files[number]
        sql = SqlFile(f"{folder}/{file.name}", _UNPACK[file.compression], "grants" if number else "dump")
        said = f"{folder}/loaded-{sql.what}"

        def see(shell: Shell, _: Watch) -> Performed:
            loaded = parse_loaded(shell.name, sql, shell.run(question("cat", said)).stdout)
            if loaded.problems:
                raise HostError(shell.name, "; ".join(loaded.problems), "restore from another backup")
            return "done"

        yield load_sql(server, sql, said, within_s)
        yield Call(f"see what loading {file.name} came to", see)
