"""The plan can be read before anything runs: every step with its hosts and its commands, and no secret."""

import pytest

from blocks.remote import secrets
from blocks.remote.command import command, question
from blocks.remote.units import LongCommand
from tasks.engine.change import Change, Wait
from tasks.engine.plan import Plan
from tasks.engine.results import Results
from tasks.engine.steps import Fence
from tests.unit.fakes import FakeShell
from tests.unit.tasks.samples import CLEANUP, HOSTS

CONTROLLERS = [FakeShell(name) for name in HOSTS]
FIRST = CONTROLLERS[0]


def text(plan: Plan) -> list[str]:
    return plan.text().splitlines()


def test_a_step_has_a_number_a_sentence_its_hosts_and_its_commands() -> None:
    plan = Plan()
    plan.step("4", "Set it to unmanaged mode", [FIRST], Change((command("pcs", "resource", "unmanage", "x"),)))
    assert text(plan) == [
        "4. Set it to unmanaged mode [controller-0]",
        "     sudo pcs resource unmanage x",
    ]


def test_what_is_the_same_on_all_hosts_is_written_once() -> None:
    plan = Plan()
    plan.step("9", "Do it", CONTROLLERS, Change((command("true"),)))
    assert text(plan) == ["9. Do it [controller-0, controller-1, controller-2]", "     sudo true"]


def test_what_differs_is_written_for_each_host() -> None:
    plan = Plan()
    plan.step("9", "Do it", CONTROLLERS[:2], lambda host: Change((command("stop", host.name),)), one_at_a_time=True)
    assert text(plan) == [
        "9. Do it [controller-0, controller-1, one at a time]",
        "     on controller-0:",
        "       sudo stop controller-0",
        "     on controller-1:",
        "       sudo stop controller-1",
    ]


def test_a_long_command_is_shown_as_an_operator_would_type_it() -> None:
    plan = Plan()
    plan.step("15", "Restore", [FIRST], Change((LongCommand("load", ("podman", "exec", "a b"), 60),)))
    assert text(plan)[1] == "     sudo podman exec 'a b'"


def test_what_is_waited_for_is_part_of_the_plan() -> None:
    plan = Plan()
    plan.step("17", "Start", [FIRST], Change((), until=Wait("Galera", "Synced", lambda _: "", 300)))
    assert text(plan)[1] == "     wait until Galera is 'Synced' (at most 300 s)"


def test_what_a_step_puts_in_force_is_told() -> None:
    plan = Plan()
    plan.step("2", "Block", [FIRST], Change(()), raises=Fence("clients", "clients are blocked"))
    assert text(plan)[1] == "     (clients are blocked)"


def test_an_answer_and_what_is_left_out_are_steps_too() -> None:
    plan = Plan()
    plan.record_answer("1", "Retrieve the address", FIRST, question("hiera", "mysql_vip"), "172.16.2.99")
    plan.skip("21", "Stop it", "Pacemaker adopts the running cluster")
    assert text(plan) == [
        "1. Retrieve the address [controller-0]",
        "     (answered 172.16.2.99)",
        "     sudo hiera mysql_vip",
        "21. Stop it",
        "     (left out: Pacemaker adopts the running cluster)",
    ]


def test_a_cleanup_stands_where_it_is_taken() -> None:
    plan = Plan()
    with plan.cleanup(CLEANUP):
        plan.skip("14", "Copy", "x")
    assert text(plan)[2:] == [
        "–. Remove the copies of the dump [controller-0]",
        "     (whatever happens before)",
        "     sudo rm -f -- /var/lib/mysql/d.sql",
    ]


def test_a_step_without_a_host_is_noted() -> None:
    plan = Plan()
    plan.step("20", "Start the others", [], Change((command("true"),)))
    assert text(plan) == ["20. Start the others"]


def test_planning_runs_nothing_and_looks_at_nothing() -> None:
    def look(_: object) -> str:
        raise AssertionError("the plan looked at a host")

    plan = Plan()
    change: Change = Change((command("x"),), already=lambda _: bool(look(None)), until=Wait("it", "so", look, 1))
    plan.step("1", "Do", CONTROLLERS, change)
    assert len(plan.steps) == 1


@pytest.mark.parametrize("where", ["command", "answer", "stdin"])
def test_no_secret_is_in_the_plan(where: str) -> None:
    secret, plan = secrets.register("Tr0ub4dor&3"), Plan()
    if where == "command":
        plan.step("1", "Do", [FIRST], Change((command("x", f"-p{secret}"),)))
    elif where == "answer":
        plan.record_answer("3", "Ask", FIRST, question("hiera"), secret)
    else:
        plan.step("12", "Reset", [FIRST], Change((command("mysql", stdin=secret, stdin_is="SQL: set it"),)))
        assert "SQL: set it" in plan.text()
    assert secret not in plan.text()


def test_what_is_taken_instead_says_when() -> None:
    plan = Plan()
    plan.fall_back(
        lambda: plan.step("25a", "Wait", [FIRST], Change((command("wait"),))),
        lambda: plan.step("25b", "Ask", [FIRST], Change((command("ask"),))),
        "it did not come by itself",
    )
    plan.skip("26", "Go home", "it is late")
    assert text(plan)[:4] == [
        "25a. Wait [controller-0]",
        "     sudo wait",
        "25b. Ask [controller-0]",
        "     (only where it did not come by itself)",
    ]
    assert plan.steps[-1].only_if == ""
    assert plan.numbers == ("25a", "25b", "26")


def test_a_value_that_a_step_will_return_is_shown_by_its_name() -> None:
    plan, size = Plan(), Results("size of the archive", int, lambda _: 42)
    plan.step("1", "Make it", [FIRST], Change((command("make"),)), results=size)
    plan.step("2", "Note it", [FIRST], lambda host: Change((command("note", size.shown(host.name)),)))
    assert text(plan)[-1] == "     sudo note '<size of the archive of controller-0>'"
