"""A backup as files, its restore into another server, and what the two then differ in."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace

from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents, read_contents_file
from tasks.database.dumping import (
    COMPRESSORS,
    LAST_LINE,
    contents_file,
    dump_pipeline,
    dump_words,
    read_again_words,
)
from tasks.database.grants_dumping import read_grants_text
from tasks.database.physical_copy import copy_pipeline, copy_words, find_program
from tests.database.local_server import LocalServer

LARGEST = 1024**3


@dataclass(frozen=True)
class Backup:
    """What a set holds.

    Attributes:
        dump: Compressed.
        grants: As it is.
        contents: What was in the server.
        copy: A physical copy, compressed; empty where there is none.
        after: What was in the server after it.
    """

    dump: bytes
    grants: str
    contents: ServerContents
    copy: bytes = b""
    after: ServerContents | None = None

    @property
    def sql(self) -> bytes:
        """The dump, unpacked."""
        return unpacked(self.dump)

    def with_sql(self, sql: bytes) -> Backup:
        """The same with another dump."""
        return replace(self, dump=packed(sql))


def packed(data: bytes) -> bytes:
    """The same, compressed."""
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


def unpacked(data: bytes) -> bytes:
    """The same, decompressed."""
    return subprocess.run(["zstd", "-dqc"], input=data, capture_output=True, check=True).stdout


def dump(origin: LocalServer, lock_s: int = 60) -> subprocess.CompletedProcess[bytes]:
    """Takes a dump, as a run does."""
    pipeline = dump_pipeline(dump_words(origin.server, LARGEST, 600, lock_s), COMPRESSORS[0])
    return origin.shell.call(["bash", "-o", "pipefail", "-c", pipeline])


def back_up(origin: LocalServer) -> Backup:
    """Takes a dump with its grants."""
    done = dump(origin)
    assert done.returncode == 0, done.stderr.decode()
    contents = read_contents_file(origin.shell, contents_file(origin.server))
    return Backup(done.stdout, read_grants_text(origin.shell, origin.server), contents)


def copy(origin: LocalServer) -> subprocess.CompletedProcess[bytes]:
    """Makes a physical copy, as a run does."""
    program, why_not = find_program(origin.shell, origin.server, "sha256:0a1b")
    assert why_not == ""
    words = ("ionice", "-c", "3", *copy_words(origin.server, program, galera=False))
    return origin.shell.call(["bash", "-o", "pipefail", "-c", copy_pipeline(COMPRESSORS[0]), "copy", *words])


def with_copy(backup: Backup, origin: LocalServer) -> Backup:
    """The same with a copy that is made now."""
    done = copy(origin)
    assert done.returncode == 0, done.stderr.decode()
    read = origin.shell.call(read_again_words(origin.server, LARGEST, 600))
    assert read.returncode == 0, read.stderr.decode()
    after = read_contents_file(origin.shell, contents_file(origin.server))
    return replace(backup, copy=done.stdout, after=after)


def drill(backup: Backup, target: LocalServer) -> list[str]:
    """Restores a backup into another server, and says what is wrong with it; empty for nothing."""
    target.empty()
    unpacked = subprocess.run(["zstd", "-dqc"], input=backup.dump, capture_output=True)
    if unpacked.returncode:
        return [f"the dump can't be unpacked: {unpacked.stderr.decode()}"]
    if not unpacked.stdout.splitlines()[-1:] or not unpacked.stdout.splitlines()[-1].startswith(LAST_LINE.encode()):
        return ["the dump is cut short"]
    reasons = []
    for what, text in (("dump", unpacked.stdout), ("grants", backup.grants.encode())):
        loaded = target.try_sql(text)
        if loaded.returncode:
            reasons.append(f"the {what} can't be loaded: {loaded.stderr.decode()}")
    # Also where it could not be loaded whole: what is missing says more than where the client has ended.
    comparison = compare(backup.contents, read_contents(target.shell, target.server, LARGEST, 600))
    return reasons + [str(one) for one in comparison.differences]
