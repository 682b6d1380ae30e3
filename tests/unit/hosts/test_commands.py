"""Nothing that any runbook runs on a host is newer than RHEL 8.2, and docs/hosts.md says what all of it is."""

from __future__ import annotations

import ast
import runpy
import shlex
from collections.abc import Iterator

import pytest

from blocks.remote.command import Command, command, script
from blocks.remote.units import LongCommand
from deployments.project import PROJECT
from tests.unit.docs.markdown import DOCS
from tests.unit.hosts.collect import FOLDERS, IN_GUESTS, made_commands
from tests.unit.hosts.programs import programs
from tests.unit.hosts.shell_text import commands_in
from tests.unit.hosts.table import not_told, table, version

MAKERS = {"script", "command", "question", "Command", "LongCommand"}


def unknown(made: Command) -> list[str]:
    """What a command uses, as the host gets it, that the table does not have."""
    return [each for words in programs(shlex.split(made.line)) for each in not_told(words)]


def test_nothing_is_used_that_the_table_does_not_have() -> None:
    wrong = {each: made.shown for made in made_commands().commands for each in unknown(made)}
    assert wrong == {}, "add it to docs/hosts.toml with the version that brought it, or do without it"


@pytest.mark.parametrize("name", list(table()))
def test_nothing_in_the_table_is_newer_than_what_rhel_8_2_has(name: str) -> None:
    program = table()[name]
    newer = [use for use in program.uses if version(use.since) > version(program.has)]
    assert newer == [use for use in program.uses if use.otherwise], (
        "and what is said to be done where it is not there yet is"
    )


def test_nothing_in_the_table_is_used_no_more() -> None:
    used = {words[0] for made in made_commands().commands for words in programs(shlex.split(made.line))}
    builtins = {use.words for use in table()["bash"].uses if use.words}
    assert (set(table()) | builtins) - used == set()


def calls() -> Iterator[tuple[str, int, int]]:
    """Where the code makes a command within a function: file, first and last line."""
    for folder in FOLDERS:
        for file in (PROJECT / folder).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            imported = {
                name.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blocks.remote")
                for name in node.names
            }
            functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
            for node in (inner for function in functions for inner in ast.walk(function)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported & MAKERS:
                    yield str(file.relative_to(PROJECT)), node.lineno, node.end_lineno or node.lineno


def test_every_place_that_makes_a_command_is_among_them() -> None:
    places = made_commands().places
    found = {call for call in calls() if call[0] not in IN_GUESTS}
    assert len(found) > 50
    missed = [
        call for call in found if not any(file == call[0] and call[1] <= line <= call[2] for file, line in places)
    ]
    assert missed == [], "let tests/unit/hosts/collect.py come by there"


REFUSED: dict[str, Command] = {
    "podman exec --detach": command("podman", "exec", "--detach", "c", "mysqld_safe"),
    "podman cp $1:$2, the program shuf": script('podman cp "$1:$2" - | shuf', "c", "/etc/my.cnf"),
    "podman container exists": script('x=$(podman container exists "$1") || exit 1', "c"),
    "systemctl show --value": script("systemctl show --value -p MainPID"),
    "podman image mount": script('exec podman "$@"', "image", "mount", "i"),
    "podman inspect --format .Health": command("podman", "inspect", "--format", "{{.Health}}", "c"),
    "dd iflag fullblock": command("podman", "exec", "c", "bash", "-c", "dd if=a skip=5B iflag=fullblock"),
    "the program shuf": command("podman", "exec", "c", "bash", "-c", "each='shuf -e'; xargs -P 2 bash -c \"$each\""),
    "systemctl stop --user": script('for f in a; do trap "systemctl --user stop x" EXIT; done'),
    "mysql --ssl-verify-server-cert": script('options="--ssl-verify-server-cert"; mysql $options'),
    "mysql --dump-history": script('client=(mysql --dump-history "$1"); "${client[@]}" --batch', "x"),
    "grep -P": script("grep -oP x"),
    "podman ps --sync, systemd-run --property Type": command(
        "systemd-run", "--property=Type=exec", "--", "podman", "ps", "--sync"
    ),
    "systemd-run --property StandardOutput=append:": command(
        "systemd-run", "--property=StandardOutput=append:/x", "true"
    ),
    "podman kill c": command("systemd-run", '--property=ExecStopPost=-"/usr/bin/env" "podman" "kill" "c"', "true"),
    "timeout --foreground": command("timeout", "--foreground", "5", "true"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_an_older_host_refuses_would_be_found(said: str) -> None:
    assert ", ".join(sorted(unknown(REFUSED[said]))) == said


def test_an_exec_line_of_a_unit_has_its_program_by_an_absolute_path() -> None:
    """Systemd 239 refuses the unit otherwise."""
    made = LongCommand("load", ("podman", "exec", "c", "true"), 60, exec_stop_post=("podman", "exec", "c", "true"))
    lines = [word for each in [made.start, *made_commands().commands] for word in each.words if "=Exec" in word]
    assert lines
    assert all(line.split("=", 2)[2].lstrip('-"').startswith("/") for line in lines)


def test_what_the_grammar_misreads_is_no_silent_nothing() -> None:
    with pytest.raises(ValueError, match="no bash"):
        list(commands_in("if true; then echo", []))


def test_the_document_is_current() -> None:
    made = runpy.run_path(str(DOCS / "make_hosts.py"))["text"]()
    assert (DOCS / "hosts.md").read_text(encoding="utf-8") == made, "run `python docs/make_hosts.py`"
