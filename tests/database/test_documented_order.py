"""A set's dump and grants, loaded as restore-galera loads files in the documented order: all of it comes back."""

from __future__ import annotations

from pathlib import Path

from blocks.remote.units import LongCommand
from tasks.database.accounts import check_accounts
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.dumps import dump_copy, grants_copy, remove_words
from tasks.database.grants import parse_grants
from tasks.database.importing import import_dump, import_grants
from tasks.database.mariadb import parse_version
from tasks.engine.change import Change
from tests.database.backups import LARGEST, Backup
from tests.database.local_server import LocalServer


def load(target: LocalServer, change: Change) -> None:
    """Run the import, as its unit does."""
    (long,) = change.commands
    assert isinstance(long, LongCommand)
    done = target.shell.call(long.words)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert done.stdout == b"", "a grant was passed over"


def test_all_of_a_set_comes_back(backup: Backup, target: LocalServer) -> None:
    target.empty()
    server, grants = target.server, parse_grants(backup.grants)
    Path(dump_copy(server.directory)).write_bytes(backup.sql)
    Path(grants_copy(server.directory)).write_text(backup.grants)
    try:
        load(target, import_dump(server, None, 60))
        version = parse_version(backup.contents.version)
        assert version is not None
        load(target, import_grants(server, version, grants.undefined_roles, 60))
    finally:
        target.shell.call(remove_words(server.directory))
    assert (grants.undefined_roles, grants.edit) == ((), "")
    check = check_accounts(server, grants)
    assert check.until is not None
    assert check.findings_after is not None
    assert check.until.look(target.shell) == "as in the grants"
    assert check.findings_after(target.shell) == []
    assert compare(backup.contents, read_contents(target.shell, server, LARGEST, 600)).differences == ()
