"""What must agree is compared and told; nothing of it is a failure but a repair that was asked for and can't be made."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from blocks.remote.command import command
from blocks.remote.connection import Watch
from blocks.remote.errors import CommandFailed, CommandTimedOut, HostError, Unreachable
from blocks.remote.shell import Result
from tasks.engine.change import Change
from tasks.engine.step import apply_change
from tasks.node.consistency import ANY_CODE, Agreement, Seen, by_kind, compare, not_there, read, repair
from tests.unit.fakes import FakeShell, Reply, silent

AGREES = Result("", "", 0)
DIFFERS = Result("a differs\nb differs\n", "", 0)
BROKEN = Result("half\n", "", 9)


def _judge(results: Sequence[Result]) -> Seen:
    (result,) = results
    if result.exit_code == 8:
        return Seen(nothing="there is no such thing")
    return Seen(tuple(result.stdout.splitlines()), "it broke" if result.exit_code == 9 else "")


AGREEMENT = Agreement(
    key="cells",
    subject="This and that",
    container="nova_api",
    looks=(command("podman", "exec", "nova_api", "look", ok=ANY_CODE, quiet=True),),
    judge=_judge,
    repair=command("podman", "exec", "nova_api", "mend", ok=ANY_CODE, quiet=True),
    failed=lambda result: "" if result.exit_code == 0 else "it would not",
    effect="that is made this",
    by_hand="podman exec nova_api mend",
)


def host(
    look: Reply | list[Reply], mend: Reply = AGREES, names: Reply = "nova_api\n", status: str = "running"
) -> FakeShell:
    shell = FakeShell().on("container ls", say=names).on("State.Status", say=f"{status}\n")
    return shell.on("nova_api", "look", say=look).on("nova_api", "mend", say=mend)


def told(change: Change, shell: FakeShell) -> list[str]:
    apply_change(shell, change, silent)
    assert change.findings_after is not None
    return change.findings_after(shell)


def compared(shell: FakeShell, repaired_next: bool = False) -> list[str]:
    return told(compare(AGREEMENT, 60, repaired_next), shell)


def test_what_agrees_is_no_finding() -> None:
    assert compared(host(AGREES)) == []


def test_differences_are_counted_in_a_finding_and_told_one_by_one_in_the_log() -> None:
    lines: list[str] = []
    change = compare(AGREEMENT, 60, repaired_next=False)
    apply_change(host(DIFFERS), change, Watch(lines.append, lambda _: None))
    assert lines == ["a differs", "b differs"]
    assert change.findings_after is not None
    assert change.findings_after(FakeShell()) == [
        "This and that differ in 2: 1 × a differs; 1 × b differs. Nothing of it was repaired; once you know why: "
        "`podman exec nova_api mend`"
    ]


def test_nothing_is_repaired_by_a_comparison() -> None:
    shell = host(DIFFERS)
    compared(shell)
    assert shell.lines("mend") == []


def test_that_the_next_step_repairs_is_said() -> None:
    assert compared(host(DIFFERS), repaired_next=True)[0].endswith("It is repaired next, as was approved")


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        (host(AGREES, names="neutron_api\nnova_api_cron\n"), "were not compared: there is no container nova_api"),
        (host(AGREES, names=""), "were not compared: there is no container nova_api"),
        (host(Result("", "", 8)), "were not compared: there is no such thing"),
        (host(AGREES, status="exited"), "it is not known whether they agree: container nova_api is exited"),
        (host(BROKEN), "it is not known whether they differ in more: it broke"),
        (host(CommandTimedOut("c", "it did not end within 60 s")), "agree: c: it did not end within 60 s"),
        (host(AGREES, names=CommandFailed("c", "podman", 125, "no")), "agree: c: exit code 125 from `podman`"),
    ],
)
def test_what_can_not_be_compared_is_told_and_fails_nothing(shell: FakeShell, said: str) -> None:
    assert said in compared(shell)[-1]


def test_a_host_that_is_gone_is_for_the_step_to_try_again() -> None:
    with pytest.raises(Unreachable):
        compared(host(Unreachable("c", "no route to host")))


def test_the_tool_gets_the_time_that_was_asked_for() -> None:
    shell = host(AGREES)
    read(AGREEMENT, shell, 77)
    assert shell.ran[-1].timeout_s == 77


# -- repair


def test_a_repair_is_made_where_something_differs_and_compared_again() -> None:
    shell, change = host([DIFFERS, Result("b differs\n", "", 0)]), repair(AGREEMENT, 60)
    assert told(change, shell) == ["This and that differ in 1: 1 × b differs. That was after their repair"]
    assert len(shell.lines("mend")) == 1


@pytest.mark.parametrize("look", [AGREES, Result("", "", 8)])
def test_where_nothing_differs_or_there_is_nothing_it_is_already_done(look: Result) -> None:
    shell, change = host(look), repair(AGREEMENT, 60)
    assert apply_change(shell, change, silent) == "already"
    assert shell.lines("mend") == []


def test_what_can_not_be_compared_is_not_repaired() -> None:
    shell = host(BROKEN)
    with pytest.raises(
        HostError, match="This and that are not repaired before they can be compared: it broke"
    ) as failed:
        apply_change(shell, repair(AGREEMENT, 60), silent)
    assert "`podman exec nova_api mend`" in failed.value.hint
    assert shell.lines("mend") == []


def test_a_repair_that_fails_says_so() -> None:
    with pytest.raises(HostError, match="the repair of This and that has failed: it would not"):
        apply_change(host(DIFFERS, Result("", "", 3)), repair(AGREEMENT, 60), silent)


# -- words


def test_the_same_difference_of_other_things_is_one_kind() -> None:
    ids = ["0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f", "1d8d0f7f-9baf-4c3d-8eae-1b2c3d4e5f60"]
    assert by_kind([f"port {each} is not there" for each in ids] + ["x {'a': 1}"]) == "2 × port … is not there; 1 × x …"


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (
            Result("", "argument action: invalid choice: 'audit'", 2),
            "this release has no `nova-manage placement audit`",
        ),
        (
            Result("", "error: unrecognized arguments: --dry-run", 2),
            "this release has no `nova-manage placement audit`",
        ),
        (Result("", "executable file not found in $PATH", 127), "the container has no nova-manage"),
        (Result("Compute host x could not be found.\n", "", 2), ""),
        (Result("Must supply a positive integer for --max-count.\n", "", 127), ""),
    ],
)
def test_a_tool_that_does_not_know_the_command_is_told_from_one_that_fails(result: Result, why: str) -> None:
    assert not_there(result, "nova-manage placement audit") == why
