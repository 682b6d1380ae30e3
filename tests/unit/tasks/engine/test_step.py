"""A change looks first, runs its commands in order, waits for what must follow; only what is safe is tried again."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Failed

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudUnreachable
from blocks.remote.command import command
from blocks.remote.connection import Connection, Performed, Watch
from blocks.remote.errors import (
    Busy,
    CommandFailed,
    CommandTimedOut,
    ConnectionLost,
    HostKeyRejected,
    LoginRejected,
    Refused,
    Stopped,
    Unreachable,
    WaitExpired,
)
from blocks.remote.units import LongCommand
from tasks.engine.change import Call, Change, Wait
from tasks.engine.step import StepFailed, apply_change, step_task
from tests.unit.fakes import FakeClock, FakeShell, silent

ONE, TWO = command("one"), command("two")
LONG = LongCommand("load", ("three",), 60)
ABSENT = "LoadState=not-found\nActiveState=inactive\nSubState=dead\n"
ENDED = "LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success\nExecMainStatus=0\n"


def looks(*answers: bool) -> Callable[[object], bool]:
    left = list(answers)
    return lambda _: left.pop(0)


def programs(shell: FakeShell) -> list[str]:
    return [one.words[0] for one in shell.ran if one.words[0] != "systemctl"]


def test_the_commands_are_run_in_their_order() -> None:
    shell = FakeShell(otherwise="")
    assert apply_change(shell, Change((ONE, TWO)), silent) == "done"
    assert programs(shell) == ["one", "two"]


def test_nothing_is_run_where_it_is_so_already() -> None:
    shell = FakeShell()
    assert apply_change(shell, Change((ONE, TWO), already=looks(True)), silent) == "already"
    assert shell.ran == []


def test_it_is_run_where_the_look_says_no() -> None:
    shell = FakeShell(otherwise="")
    assert apply_change(shell, Change((ONE,), already=looks(False)), silent) == "done"
    assert programs(shell) == ["one"]


@pytest.mark.parametrize("already", [True, False])
def test_what_must_follow_is_awaited_whether_or_not_there_was_something_to_do(clock: FakeClock, already: bool) -> None:
    shell, seen = FakeShell(otherwise=""), iter(["starting", "starting", "up"])
    change = Change((ONE,), already=looks(already), until=Wait("it", "up", lambda _: next(seen), 60))
    apply_change(shell, change, silent)
    assert list(seen) == []


def test_what_never_follows_fails_the_change(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match="controller-0: it never became 'up'"):
        apply_change(FakeShell(otherwise=""), Change((ONE,), until=Wait("it", "up", lambda _: "down", 60)), silent)


def test_the_commands_after_one_that_failed_are_not_run() -> None:
    shell = FakeShell(otherwise="").on("one", say=1)
    with pytest.raises(CommandFailed):
        apply_change(shell, Change((ONE, TWO)), silent)
    assert programs(shell) == ["one"]


def test_a_change_without_commands_only_waits(clock: FakeClock) -> None:
    shell = FakeShell()
    assert apply_change(shell, Change((), until=Wait("it", "up", lambda _: "up", 1)), silent) == "done"
    assert shell.ran == []


def test_the_output_is_passed_on() -> None:
    said: list[str] = []
    apply_change(FakeShell().on("one", say="a\nb\n"), Change((ONE,)), replace(silent, line=said.append))
    assert said == ["a", "b"]


def unit(*states: str) -> FakeShell:
    return FakeShell(otherwise="").on("systemctl show", say=list(states))


def test_a_long_command_is_started(clock: FakeClock) -> None:
    shell = unit(ABSENT, ENDED)
    assert apply_change(shell, Change((LONG,)), silent) == "done"
    assert len(shell.lines("systemd-run")) == 1


def test_a_long_command_of_an_earlier_run_is_attached_to(clock: FakeClock) -> None:
    shell = unit(ENDED)
    assert apply_change(shell, Change((LONG,)), silent) == "attached"
    assert shell.lines("systemd-run") == []


def test_a_long_command_that_has_ended_unread_is_read_before_anything_is_believed(clock: FakeClock) -> None:
    assert apply_change(unit(ENDED), Change((LONG,), already=looks(True)), silent) == "attached"


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionLost("h", "gone"), True),
        (Unreachable("h", "no route"), True),
        (CommandTimedOut("h", "too long"), True),
        (CommandFailed("h", "x", 1, ""), False),
        (HostKeyRejected("h", "not the pinned one"), False),
        (LoginRejected("h", "no"), False),
        (Stopped("h", "cancelled"), False),
        (WaitExpired("h", "never"), False),
        (Refused("r", ["x"]), False),
        (Busy("x"), False),
        (ValueError("a defect"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_a_lost_connection_or_an_ended_command_is_tried_again(error: Exception, again: bool) -> None:
    assert is_tried_again(FakeShell(), error) is again


def is_tried_again(connection: Connection, error: Exception) -> bool:
    state: State[object] = Failed(data=error)
    task = step_task("5", "Stop it", connection, Change(()))
    assert task.retry_condition_fn is not None
    answer = task.retry_condition_fn(task, TaskRun.model_construct(task_key="x", dynamic_key="x"), state)
    return bool(answer)


def test_what_may_be_tried_again_the_connection_says() -> None:
    assert is_tried_again(Cloud("overcloud"), CloudUnreachable("overcloud", "503"))
    assert not is_tried_again(Cloud("overcloud"), ConnectionLost("h", "gone"))
    assert not is_tried_again(FakeShell(), CloudUnreachable("overcloud", "503"))


def test_a_task_says_what_it_did_where(no_engine: None, clock: FakeClock) -> None:
    change = Change((ONE,), findings_after=lambda _: ["something odd"])
    record = step_task("5", "Stop it", FakeShell("controller-2", otherwise=""), change)()
    assert (record.number, record.sentence, record.host, record.outcome) == ("5", "Stop it", "controller-2", "done")
    assert record.findings == ("something odd",)


def test_the_result_of_a_task_is_neither_cached_nor_kept() -> None:
    task = step_task("5", "Stop it", FakeShell(), Change(()))
    assert task.persist_result is False
    assert task.retries == 3


def test_a_failure_names_the_step_the_sentence_and_the_host() -> None:
    failure = StepFailed(
        "17", "Start the bootstrap node", "controller-0", WaitExpired("controller-0", "it never came", "look")
    )
    assert str(failure) == (
        "step 17 (Start the bootstrap node) failed on controller-0: controller-0: it never came\nHINT: look"
    )


def test_the_failure_of_a_defect_names_its_kind() -> None:
    assert "KeyError: 'x'" in str(StepFailed("1", "Ask", "h", KeyError("x")))


def test_a_call_is_made_to_the_cloud_with_who_watches() -> None:
    cloud, said, percents = Cloud("overcloud"), list[str](), list[float]()
    watch = Watch(said.append, percents.append)

    def do(place: Cloud, watching: Watch) -> Performed:
        watching.line(f"made on {place.name}")
        watching.progress(50)
        return "attached"

    change = Change[Cloud]((Call("openstack stack create x", do),))
    assert apply_change(cloud, change, watch) == "attached"
    assert (said, percents) == (["made on overcloud"], [50])


def test_a_call_that_need_not_be_made_is_not_made() -> None:
    def do(_: Cloud, __: Watch) -> Performed:
        raise AssertionError("it was made")

    change = Change[Cloud]((Call("x", do),), already=lambda cloud: cloud.name == "overcloud")
    assert apply_change(Cloud("overcloud"), change, silent) == "already"
