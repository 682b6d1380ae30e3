"""The plan can be read before anything runs: every step with its hosts and its commands, and no secret."""

import pytest

from blocks.remote import secrets
from blocks.remote.command import command, question
from blocks.remote.units import LongCommand
from tasks.engine.change import Change, Force, Wait
from tasks.engine.plan import Plan
from tests.unit.tasks.samples import HOSTS, SITE, UNDO

CONTROLLERS = [SITE.host(name) for name in HOSTS]
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
    plan.step("2", "Block", [FIRST], Change(()), begins=Force("clients", "clients are blocked"))
    assert text(plan)[1] == "     (clients are blocked)"


def test_an_answer_and_what_is_left_out_are_steps_too() -> None:
    plan = Plan()
    plan.answer("1", "Retrieve the address", FIRST, question("hiera", "mysql_vip"), "172.16.2.99")
    plan.skip("21", "Stop it", "Pacemaker adopts the running cluster")
    assert text(plan) == [
        "1. Retrieve the address [controller-0]",
        "     (answered 172.16.2.99)",
        "     sudo hiera mysql_vip",
        "21. Stop it",
        "     (left out: Pacemaker adopts the running cluster)",
    ]


def test_an_undo_stands_where_it_is_undone() -> None:
    plan = Plan()
    with plan.undone(UNDO):
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
    change = Change((command("x"),), already=lambda _: bool(look(None)), until=Wait("it", "so", look, 1))
    plan.step("1", "Do", CONTROLLERS, change)
    assert len(plan.steps) == 1


@pytest.mark.parametrize("where", ["command", "answer", "stdin"])
def test_no_secret_is_in_the_plan(where: str) -> None:
    secret, plan = secrets.register("Tr0ub4dor&3"), Plan()
    if where == "command":
        plan.step("1", "Do", [FIRST], Change((command("x", f"-p{secret}"),)))
    elif where == "answer":
        plan.answer("3", "Ask", FIRST, question("hiera"), secret)
    else:
        plan.step("12", "Reset", [FIRST], Change((command("mysql", stdin=secret, stdin_is="SQL: set it"),)))
        assert "SQL: set it" in plan.text()
    assert secret not in plan.text()
