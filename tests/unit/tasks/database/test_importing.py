"""The dump and its grants are loaded in the container: what the clients get there, in which order, and what ends them."""

from pathlib import Path

import pytest

from blocks.remote.command import command
from blocks.remote.errors import CommandFailed
from blocks.remote.units import LongCommand
from tasks.database.importing import import_dump, import_grants
from tasks.database.mariadb import Server, Version
from tasks.engine.change import Change
from tests.unit.fakes import FakeShell, LocalShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
DUMP, GRANTS = "openstack-runbooks-dump.sql", "openstack-runbooks-grants.sql"
PUT_BACK = "REPLACE INTO mysql.global_priv SELECT * FROM mysql.kept_root; FLUSH PRIVILEGES;"
HASH = "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"
# A client that keeps what it gets, and fails as it is told, once it has read a certain text.
CLIENT = """\
#!/bin/bash
text=$(cat); echo "$text" >> {folder}/got; echo "$*" >> {folder}/arguments
case $text in *"{at}"*) echo "{says}" >&2; {ends};; esac
"""


def run_inside(folder: Path, change: Change, at: str = "never", says: str = "", ends: str = "exit 1") -> str:
    """Run what a change would run in the container, with a client of the test's; return what it printed."""
    for name, text in {DUMP: "THE DUMP;\n", GRANTS: "THE GRANTS;\n"}.items():
        (folder / name).write_text(text)
    (folder / "mysql").write_text(CLIENT.format(folder=folder, at=at, says=says, ends=ends))
    (folder / "mysql").chmod(0o755)
    (long,) = change.commands
    assert isinstance(long, LongCommand)
    return LocalShell(folder).run(command(*long.words[long.words.index("bash") :])).stdout


def here(folder: Path) -> Server:
    return Server("c", str(folder), "/root/.my.cnf", "restore-galera")


def grants_in(folder: Path, roles: tuple[str, ...] = ()) -> Change:
    return import_grants(here(folder), Version(10, 11), roles, 60)


def got(folder: Path) -> list[str]:
    """What the client got, without empty lines and repetitions."""
    lines = [line for line in (folder / "got").read_text().splitlines() if line]
    return list(dict.fromkeys(lines))


def test_the_dump_is_loaded(tmp_path: Path) -> None:
    run_inside(tmp_path, import_dump(here(tmp_path), None, 60))
    assert got(tmp_path) == ["THE DUMP;"]


def test_an_error_in_the_dump_ends_the_import(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="ERROR 1050"):
        run_inside(
            tmp_path,
            import_dump(here(tmp_path), None, 60),
            at="THE DUMP",
            says="ERROR 1050 (42S01): Table 'x' exists",
        )


def test_roles_are_made_before_the_grants(tmp_path: Path) -> None:
    run_inside(tmp_path, grants_in(tmp_path, ("app read", "writer")))
    assert got(tmp_path) == [
        "CREATE ROLE IF NOT EXISTS `app read`;CREATE ROLE IF NOT EXISTS `writer`;",
        "THE GRANTS;",
        PUT_BACK,
    ]


@pytest.mark.parametrize("number", ["1045 (28000)", "2002 (HY000)", "1064 (42000) at line 3", "1959 (OP000) at line 2"])
def test_an_error_in_the_grants_fails_them(tmp_path: Path, number: str) -> None:
    with pytest.raises(CommandFailed, match=number.split()[0]):
        run_inside(tmp_path, grants_in(tmp_path), at="THE GRANTS", says=f"ERROR {number}: no")


@pytest.mark.parametrize("number", ["1305 (42000)", "1146 (42S02)"])
def test_a_grant_on_what_the_dump_does_not_hold_is_told_and_passed_over(tmp_path: Path, number: str) -> None:
    said = f"ERROR {number} at line 7: nova.f does not exist"
    assert run_inside(tmp_path, grants_in(tmp_path), at="THE GRANTS", says=said) == f"{said}\n"


def test_what_was_passed_over_is_told_to_the_operator() -> None:
    change = import_grants(SERVER, Version(10, 3), (), 60)
    log = "loading\nERROR 1305 (42000) at line 7: FUNCTION nova.f does not exist\n"
    assert change.findings_after is not None
    (told,) = change.findings_after(FakeShell().on("tail", say=log))
    assert "FUNCTION nova.f does not exist" in told


def test_a_client_that_is_killed_in_the_grants_fails_them(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed):
        run_inside(tmp_path, grants_in(tmp_path), at="THE GRANTS", ends="kill -9 $$")


def test_no_hash_is_in_what_is_said_of_a_wrong_statement(tmp_path: Path) -> None:
    wrong = f"ERROR 1064 (42000) at line 2: You have an error in your SQL syntax; near 'BY '{HASH}'' at line 1"
    with pytest.raises(CommandFailed, match="ERROR 1064") as failed:
        run_inside(tmp_path, grants_in(tmp_path), at="THE GRANTS", says=wrong)
    assert HASH not in failed.value.output


@pytest.mark.parametrize("what", [DUMP, GRANTS])
def test_a_file_may_be_removed_as_soon_as_it_is_being_loaded(tmp_path: Path, what: str) -> None:
    change = import_dump(here(tmp_path), None, 60) if what == DUMP else grants_in(tmp_path, ("reader",))
    run_inside(tmp_path, change, at=";", ends=f"rm -f {tmp_path}/{what}; exit 0")
    assert got(tmp_path)[-1] == {DUMP: "THE DUMP;", GRANTS: PUT_BACK}[what]


@pytest.mark.parametrize("change", [import_dump(SERVER, None, 60), import_grants(SERVER, Version(10, 3), (), 60)])
def test_what_runs_in_the_container_ends_with_its_unit(change: Change) -> None:
    (long,) = change.commands
    assert isinstance(long, LongCommand)
    assert long.exec_stop_post[:3] == ("podman", "exec", SERVER.container)
    assert any("kill -TERM" in word for word in long.exec_stop_post)


def test_no_password_is_on_the_command_line_of_the_client(tmp_path: Path) -> None:
    run_inside(tmp_path, import_dump(here(tmp_path), None, 60))
    run_inside(tmp_path, grants_in(tmp_path))
    for line in (tmp_path / "arguments").read_text().splitlines():
        assert "--defaults-extra-file=/root/.my.cnf" in line
        assert not any(word.startswith(("-p", "--password")) for word in line.split())
