"""A long command is a unit of its host: started once, found by a rerun, told when it fails, forgotten when read."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.command import question
from blocks.remote.errors import CommandFailed, CommandTimedOut, ConnectionLost, HostError, WaitExpired
from blocks.remote.units import LongCommand, forget, parse_phase, parse_progress, parse_unit_state, run_long, unit_state
from tests.unit.fakes import FakeClock, FakeShell, LocalShell

LONG = LongCommand(
    "restore-galera-load", ("podman", "exec", "galera-bundle-podman-0", "bash", "-c", "mysql < dump"), 600
)
# As systemd-run takes it, for which a $ is two.
INTO_LOG = 'exec >>"$$1" 2>&1; shift; exec "$$@"'


def show(
    load: str = "loaded", active: str = "active", sub: str = "running", result: str = "success", code: int = 0
) -> str:
    return f"Result={result}\nExecMainStatus={code}\nLoadState={load}\nActiveState={active}\nSubState={sub}\n"


ABSENT = show("not-found", "inactive", "dead")
RUNNING = show()
ENDED = show(sub="exited")
FAILED = show(active="failed", sub="failed", result="exit-code", code=3)
TIMED_OUT = show(active="failed", sub="failed", result="timeout", code=15)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (ABSENT, "absent"),
        ("", "absent"),
        (show("loaded", "inactive", "dead"), "absent"),
        (show(active="activating", sub="start"), "running"),
        (RUNNING, "running"),
        (show(active="deactivating", sub="stop-sigterm", result="timeout"), "running"),
        (show(active="deactivating", sub="final-sigkill"), "running"),
        (ENDED, "ended"),
        (FAILED, "ended"),
        (TIMED_OUT, "ended"),
        (show(active="failed", sub="failed", result="signal", code=9), "ended"),
        (show(active="failed", sub="failed", result="oom-kill", code=9), "ended"),
    ],
)
def test_what_systemd_says_is_one_of_three_words(text: str, word: str) -> None:
    assert parse_unit_state(text).word == word


@pytest.mark.parametrize(
    ("text", "result", "code"),
    [(ENDED, "success", 0), (FAILED, "exit-code", 3), (TIMED_OUT, "timeout", 15), ("ExecMainStatus=\n", "", 0)],
)
def test_the_result_and_the_exit_code_are_read(text: str, result: str, code: int) -> None:
    state = parse_unit_state(text)
    assert (state.result, state.exit_code) == (result, code)


def test_the_name_depends_on_every_word() -> None:
    names = {LongCommand("load", words, 60).unit for words in [("a", "b"), ("a b",), ("b", "a"), ("a", "b", "")]}
    assert len(names) == 4


def test_the_same_command_has_the_same_name_whatever_its_deadline() -> None:
    assert LongCommand("load", ("a",), 60).unit == LongCommand("load", ("a",), 7200).unit


def test_the_name_says_what_it_does_and_is_a_unit_name() -> None:
    assert LONG.unit.startswith("openstack-runbooks-restore-galera-load-")
    assert LONG.unit.endswith(".service")
    assert LONG.unit.replace("-", "").replace(".", "").isalnum()


def test_the_command_is_started_as_it_is_written_with_its_deadline_and_a_log_of_its_own() -> None:
    words = LONG.start.words
    log = LONG.log
    assert words[-len(LONG.words) - 6 :] == ("--", "bash", "-c", INTO_LOG, "bash", log, *LONG.words)
    assert f"--unit={LONG.unit}" in words
    assert "--property=RuntimeMaxSec=600" in words
    assert "--property=RemainAfterExit=yes" in words


def test_a_scripts_own_variables_are_not_systemds() -> None:
    words = LongCommand("load", ("bash", "-c", 'echo $$ "$1" ${x}'), 60).start.words
    assert words[-3:] == ("bash", "-c", 'echo $$$$ "$$1" $${x}')


def test_an_operator_sees_the_command_without_the_unit_around_it() -> None:
    assert LONG.shown == "sudo podman exec galera-bundle-podman-0 bash -c 'mysql < dump'"


def test_an_error_may_call_it_by_a_shorter_name(clock: FakeClock) -> None:
    long = replace(LONG, says="mysql < dump.sql")
    with pytest.raises(CommandFailed, match=r"exit code 3 from `mysql < dump\.sql`"):
        run_long(host(ABSENT, FAILED), long)


def host(*states: str, log: str = "") -> FakeShell:
    """A host whose systemd answers with these states, one after the other."""
    return (
        FakeShell()
        .on("tail -c", say=[log, ""])
        .on("systemctl show", LONG.unit, say=list(states))
        .on("systemd-run", say="")
        .on("systemctl stop", LONG.unit, say="")
    )


def test_a_command_that_nobody_has_started_is_started_once(clock: FakeClock) -> None:
    shell = host(ABSENT, RUNNING, RUNNING, ENDED)
    assert run_long(shell, LONG) == "done"
    assert len(shell.lines("systemd-run")) == 1


def test_a_running_command_is_joined_and_not_started_again(clock: FakeClock) -> None:
    shell = host(RUNNING, RUNNING, ENDED)
    assert run_long(shell, LONG) == "attached"
    assert shell.lines("systemd-run") == []


def test_a_command_that_has_ended_unread_is_not_run_twice(clock: FakeClock) -> None:
    shell = host(ENDED)
    assert run_long(shell, LONG) == "attached"
    assert shell.lines("systemd-run") == []


def test_its_result_stays_until_it_is_on_record(clock: FakeClock) -> None:
    shell = host(ABSENT, ENDED)
    run_long(shell, LONG)
    assert shell.lines("systemctl stop") == []
    forget(shell, LONG)
    assert len(shell.lines("systemctl stop", LONG.unit)) == 1


@pytest.mark.parametrize(("code", "fails"), [(0, False), (5, False), (1, True)])
def test_what_is_not_there_is_forgotten(tmp_path: Path, code: int, fails: bool) -> None:
    """As systemctl says it of a unit that was never started, because all was as it should be."""
    (tmp_path / "systemctl").write_text(f"#!/bin/bash\n[ $1 = reset-failed ] || exit {code}\n")
    (tmp_path / "systemctl").chmod(0o755)
    with pytest.raises(CommandFailed) if fails else nullcontext():
        forget(LocalShell(tmp_path), LONG)


def test_a_failure_is_told_with_the_end_of_the_output(clock: FakeClock) -> None:
    shell = host(ABSENT, RUNNING, FAILED, log="ERROR 1050 (42S01) at line 12: Table 'x' already exists\n")
    with pytest.raises(CommandFailed, match="ERROR 1050") as failed:
        run_long(shell, LONG)
    assert failed.value.exit_code == 3
    assert failed.value.host == "controller-0"


def test_a_command_that_failed_can_be_started_again(clock: FakeClock) -> None:
    shell = host(ABSENT, FAILED)
    with pytest.raises(CommandFailed):
        run_long(shell, LONG)
    assert len(shell.lines("systemctl stop", LONG.unit)) == 1


def test_a_command_that_systemd_ended_is_told_as_such_and_not_tried_again_by_itself(clock: FakeClock) -> None:
    with pytest.raises(HostError, match="did not end within 600 s") as ended:
        run_long(host(ABSENT, RUNNING, TIMED_OUT), LONG)
    assert not isinstance(ended.value, CommandTimedOut | CommandFailed)


def test_what_else_must_end_with_it_is_ended_whatever_ends_it() -> None:
    ending = LongCommand(
        "load", ("podman", "exec", "x"), 60, exec_stop_post=("podman", "exec", "x", "sh", "-c", 'kill "$p" 5%')
    )
    (line,) = (word for word in ending.start.words if word.startswith("--property=ExecStopPost="))
    assert line == '--property=ExecStopPost=-"/usr/bin/env" "podman" "exec" "x" "sh" "-c" "kill \\"$$p\\" 5%"'
    assert not any("ExecStopPost" in word for word in LONG.start.words)


def test_a_unit_that_vanishes_counts_as_failed(clock: FakeClock) -> None:
    with pytest.raises(CommandFailed):
        run_long(host(ABSENT, RUNNING, ABSENT), LONG)


def test_a_host_where_systemd_does_not_end_it_is_not_waited_for_forever(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired):
        run_long(host(ABSENT, RUNNING), LONG)
    assert 600 <= clock.now - 1000 <= 700


def test_a_lost_connection_is_passed_on_and_the_unit_left_alone(clock: FakeClock) -> None:
    shell = host(RUNNING).on("tail -c", say=ConnectionLost("controller-0", "gone"))
    with pytest.raises(ConnectionLost):
        run_long(shell, LONG)
    assert shell.lines("systemctl stop") == []


def test_its_output_is_passed_on_line_by_line_without_a_secret(clock: FakeClock, secret: str) -> None:
    shell, seen = host(ABSENT, RUNNING, ENDED, log=f"loading\nusing {secret}\n"), list[str]()
    run_long(shell, LONG, seen.append)
    assert seen == ["loading", "using ********"]


def test_a_secret_in_the_output_of_a_failed_command_is_masked(clock: FakeClock, secret: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        run_long(host(ABSENT, FAILED, log=f"denied: {secret}\n"), LONG)
    assert secret not in str(failed.value)
    assert secret not in failed.value.output


MEASURED = replace(LONG, progress_query=question("how-far"))


def test_how_far_it_is_is_passed_on_while_it_runs(clock: FakeClock) -> None:
    shell, seen = host(ABSENT, *[RUNNING] * 80, ENDED).on("how-far", say=["250 1000\n", "750 1000\n"]), list[float]()
    run_long(shell, MEASURED, on_progress=seen.append)
    assert seen[0] == 25
    assert set(seen[1:]) == {75}


def test_a_command_that_is_soon_over_is_not_asked_how_far_it_is(clock: FakeClock) -> None:
    shell, seen = host(ABSENT, RUNNING, ENDED), list[float]()
    run_long(shell, MEASURED, on_progress=seen.append)
    assert seen == []
    assert shell.lines("how-far") == []


def test_a_question_how_far_it_is_that_finds_no_answer_harms_nothing(clock: FakeClock) -> None:
    shell, seen = host(ABSENT, *[RUNNING] * 120, ENDED), list[float]()
    shell.on("how-far", say=[CommandTimedOut("controller-0", "no end"), 1, "no such file\n", "5 10\n"])
    assert run_long(shell, MEASURED, on_progress=seen.append) == "done"
    assert set(seen) == {50}


def test_what_is_under_way_is_told_before_the_percentage(clock: FakeClock) -> None:
    told: list[object] = []
    shell = host(ABSENT, *[RUNNING] * 50, ENDED).on("how-far", say="5 10\nCreating tar archive, 5 B of about 10 B\n")
    run_long(shell, MEASURED, on_progress=told.append, on_phase=told.append)
    assert told[:2] == ["Creating tar archive, 5 B of about 10 B", 50]
    assert parse_phase("5 10\n") == ""


@pytest.mark.parametrize("text", ["", "5\n", "5 0\n", "a b\n", "-5 10\n", " 1000\n"])
def test_what_is_no_answer_is_no_percentage(text: str) -> None:
    assert parse_progress(text) is None


def test_looking_at_a_unit_changes_nothing() -> None:
    shell = host(FAILED)
    assert unit_state(shell, LONG).word == "ended"
    assert [one.words[:2] for one in shell.ran] == [("systemctl", "show")]
