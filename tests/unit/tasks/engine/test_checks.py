"""Checks: one form for every reason, and what an error becomes."""

from __future__ import annotations

import pytest

from blocks.remote.errors import Busy, CommandFailed, HostError, Refused, RunbookError
from tasks.engine.checks import Check


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (Check("dump", "controller-0", "", "it is empty", "take another"), "controller-0: it is empty; take another"),
        (Check("dump", "controller-0", "", "it is empty"), "controller-0: it is empty"),
        (Check("lock", "", "", "it is held", "wait"), "it is held; wait"),
        (Check("Pacemaker", "", "3 of 3 nodes online"), "Pacemaker: 3 of 3 nodes online"),
        (Check("space", "controller-0", "3 MiB free"), "controller-0: space: 3 MiB free"),
    ],
)
def test_every_reason_has_one_form(check: Check, said: str) -> None:
    assert str(check) == said
    assert said.endswith(check.words)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HostError("controller-0", "no VIP", "see hiera"), "controller-0: no VIP; see hiera"),
        (Busy("another runbook is at work", "wait for it"), "another runbook is at work; wait for it"),
        (RunbookError("no such site"), "no such site"),
    ],
)
def test_an_errors_host_is_told_once_and_its_hint_has_the_form_of_every_other(error: RunbookError, said: str) -> None:
    (check,) = Check.of(error, "VIP")
    assert (check.name, check.ok, str(check)) == ("VIP", False, said)


def test_a_refusal_is_as_many_checks_as_it_has_reasons() -> None:
    found = Check.of(Refused("x", ["controller-0: a; b", "c"]), "dump")
    assert [str(check) for check in found] == ["controller-0: a; b", "c"]


def test_a_hint_is_not_hidden_behind_what_a_command_has_printed() -> None:
    failed = CommandFailed("controller-0", "pcs status", 1, "Error: no\ncluster", "start it")
    (check,) = Check.of(failed, "Pacemaker")
    assert str(check) == "controller-0: exit code 1 from `pcs status`; start it\nError: no\ncluster"
    listed = str(Refused("restore-galera", [str(check), "the dump is empty"])).splitlines()
    assert listed[1:] == [
        "  - controller-0: exit code 1 from `pcs status`; start it",
        "    Error: no",
        "    cluster",
        "  - the dump is empty",
    ]


def test_where_there_is_no_reason_there_is_what_was_seen() -> None:
    assert Check.each("dump", "controller-0", [], "it is whole") == [Check("dump", "controller-0", "it is whole")]
    assert [check.reason for check in Check.each("dump", "controller-0", ["a", "b"], "it is whole")] == ["a", "b"]
