"""The dump and the grants are looked at before anything is stopped; what is seen is a check each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.database.dump_look import Loader
from tasks.database.dumps import read_file
from tasks.database.mariadb import Version
from tasks.runbooks.restore_galera.files import Files, look_at_files
from tests.unit.fakes import LocalShell
from tests.unit.tasks.control_plane import DUMP_TEXT, GRANTS_TEXT

LOADER = Loader("", Version(10, 3), "/nonexistent/mysql")
SANDBOX = "/*M!999999\\- enable the sandbox mode */ \n"


def look(folder: Path, dump: str = DUMP_TEXT, grants: str = GRANTS_TEXT, loader: Loader = LOADER) -> Files:
    (folder / "dump.sql").write_text(dump)
    (folder / "grants.sql").write_text(grants)
    here = LocalShell(folder)
    files = [read_file(here, f"{folder}/{name}") for name in ("dump.sql", "grants.sql")]
    return look_at_files(here, files[0], files[1], loader, readable=True)


def reasons(files: Files) -> list[str]:
    return [str(check) for check in files.checks if not check.ok]


def test_what_can_be_loaded_is_read(tmp_path: Path) -> None:
    files = look(tmp_path)
    assert reasons(files) == []
    assert files.contents is not None
    assert files.grants is not None
    assert [check.name for check in files.checks] == [
        *("place of the dump", "dump", "contents of the dump", "place of the grants", "grants"),
    ]
    assert "1 schemas, 1 tables" in str(files.checks[2])


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    files = look(tmp_path, DUMP_TEXT[:-60], "Grants for nova@%;\n", Loader("", Version(10, 3), str(tmp_path)))
    assert [reason.split(":")[0] for reason in reasons(files)] == ["here"] * 4
    told = "\n".join(reasons(files))
    for said in ("its place is in", "is cut short", "line 1 is no statement", "copy it elsewhere"):
        assert said in told
    assert (files.contents, files.parts, files.grants) == (None, None, None)


@pytest.mark.parametrize(("help_says", "refused"), [("  --sandbox  Disallow", False), ("  --batch", True)])
def test_a_line_for_newer_clients_is_taken_where_the_containers_client_knows_it(
    tmp_path: Path, help_says: str, refused: bool
) -> None:
    podman = (
        '#!/bin/bash\ncase "$1" in inspect) echo running;; exec) shift 2; exec "$@";; esac\n',
        f"#!/bin/bash\necho '{help_says}'\n",
    )
    for name, text in zip(("podman", "mysql"), podman, strict=True):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    files = look(tmp_path, SANDBOX + DUMP_TEXT, loader=Loader("galera", Version(10, 3), "/nonexistent"))
    assert bool(reasons(files)) is refused
