"""The plan of restore-galera: the documented steps in their order, as golden files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from prefect.exceptions import ParameterTypeError

from blocks.remote.command import Command
from blocks.remote.connection import Connection
from blocks.remote.units import LongCommand
from flows.restore_galera import procedure, restore_galera
from tasks.database.mariadb import Version
from tasks.engine.change import ChangeFor, change_for
from tasks.engine.plan import Plan
from tasks.runbooks.restore_galera.job import Ending
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.jobs import DUMP, GRANTS, ORDER, PASSWORD, VIP, facts, job

ENDINGS: tuple[Ending, ...] = get_args(Ending)
EVERY_ENDING = pytest.mark.parametrize("ending", ENDINGS)


def plan(ending: Ending = "adopt", rebuild: bool = False, **changes: object) -> Plan:
    made = Plan()
    procedure(made, job(ending, facts(**changes), rebuild=rebuild))  # type: ignore[arg-type]
    return made


@EVERY_ENDING
def test_the_plan_is_the_golden_one(ending: Ending) -> None:
    assert_golden(f"restore-galera-{ending}", plan(ending))


@EVERY_ENDING
@pytest.mark.parametrize("version", [Version(10, 3), Version(10, 11)])
def test_no_secret_is_in_the_plan(ending: Ending, version: Version) -> None:
    text = plan(ending, version=version).text()
    for form in (PASSWORD, PASSWORD.encode().hex(), PASSWORD.encode().hex().upper()):
        assert form not in text


class Words(Plan):
    """A plan that keeps the words of every command as the host gets them."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def step(self, number: str, sentence: str, on: Sequence[Connection], do: ChangeFor, **more: Any) -> None:
        super().step(number, sentence, on, do, **more)
        for host in on:
            for command in change_for(do, host).commands:
                assert isinstance(command, Command | LongCommand)
                self.words += command.start.words if isinstance(command, LongCommand) else command.words


@EVERY_ENDING
def test_no_secret_is_in_the_words_of_any_command(ending: Ending) -> None:
    made = Words()
    procedure(made, job(ending))
    assert len(made.words) > 100
    assert not any(form in word for word in made.words for form in (PASSWORD, PASSWORD.encode().hex()))


@EVERY_ENDING
def test_every_documented_step_is_taken_answered_or_left_out_with_a_reason(ending: Ending) -> None:
    planned = [step for step in plan(ending).steps if not step.only_if]
    steps = {step.number: step for step in planned}
    for number in range(1, 26):
        step = steps[str(number)]
        taken = any(step.lines.values())
        assert taken or re.match(r"(left out|answered): ?\S", step.note), number
    left_out = {number for number, step in steps.items() if step.note.startswith("left out")}
    assert left_out == ({"21", "23"} if ending == "adopt" else set())
    assert len(planned) == len({(step.number, step.sentence) for step in planned})


def test_what_is_taken_only_where_something_goes_wrong_says_so_in_the_plan() -> None:
    fallback = {step.number: step.only_if for step in plan("adopt").steps if step.only_if}
    assert "did not find the running cluster by itself" in fallback["25b"]
    assert {number for number, why in fallback.items() if "did not adopt" in why} == {
        "25c",
        "25e",
        "21",
        "23",
        "24",
        "24a",
        "25",
    }
    assert not any(step.only_if for step in plan("restart").steps)


def test_the_order_by_which_a_rerun_finds_its_place_is_that_of_the_procedure() -> None:
    assert ORDER.index("20a") < ORDER.index("25") < ORDER.index("25a") < ORDER.index("25b") < ORDER.index("25c")
    assert ORDER.index("25c") < ORDER.index("25d") < ORDER.index("V1") < ORDER.index("22") < ORDER.index("V3")
    assert [number for number in plan("restart").numbers if number in ORDER] == list(plan("restart").numbers)
    places = [ORDER.index(number) for number in plan("restart").numbers]
    assert places == sorted(places)


@EVERY_ENDING
def test_a_step_that_is_no_documented_one_cleans_up(ending: Ending) -> None:
    strangers = [step.sentence for step in plan(ending).steps if step.number not in ORDER]
    assert strangers == ["Remove the copies of the dump and of the grants from the data directory"]


@EVERY_ENDING
def test_clients_come_back_after_the_cluster_was_seen_to_be_whole_and_managed(ending: Ending) -> None:
    numbers = [step.number for step in plan(ending).steps]
    assert numbers.index("2") < numbers.index("5")
    assert numbers.index("25") < numbers.index("25d") < numbers.index("V1") < numbers.index("22")


@EVERY_ENDING
def test_one_controller_joins_after_the_other(ending: Ending) -> None:
    (join,) = (step for step in plan(ending).steps if step.number == "20")
    assert join.hosts == ("controller-1", "controller-2")
    assert join.one_at_a_time


def test_the_bootstrap_node_is_the_last_to_stop() -> None:
    (stop,) = (step for step in plan("restart").steps if step.number == "21")
    assert stop.hosts[-1] == "controller-0"
    assert stop.one_at_a_time


@EVERY_ENDING
@pytest.mark.parametrize("number", ["14", "15", "17", "18"])
def test_the_dump_goes_to_the_first_controller_alone(ending: Ending, number: str) -> None:
    (step,) = (step for step in plan(ending).steps if step.number == number)
    assert step.hosts == ("controller-0",)


def test_a_rebuild_discards_what_was_built_and_never_what_was_kept() -> None:
    (make,) = (step for step in plan(rebuild=True).steps if step.number == "7")
    discards = [line for lines in make.lines.values() for line in lines if "-delete" in line]
    assert discards
    assert not any("rm -rf" in line for step in plan().steps for lines in step.lines.values() for line in lines)


def test_roles_that_the_grants_do_not_create_are_told() -> None:
    told: list[str] = []

    class Told(Plan):
        def report_finding(self, finding: str) -> None:
            told.append(finding)

    procedure(Told(), job(found=facts(roles=("reader",))))
    assert len(told) == 1
    assert "reader" in told[0]


@EVERY_ENDING
def test_a_control_plane_of_one_controller_has_a_plan(ending: Ending) -> None:
    made = Plan()
    procedure(made, job(ending, controllers=1))
    assert {str(number) for number in range(1, 26)} <= {step.number for step in made.steps}


def test_what_stands_between_the_steps_says_how_it_is_lifted() -> None:
    one = job()
    assert f"{VIP}:3306" in one.blocked.sentence
    assert "iptables -D INPUT" in one.blocked.sentence
    assert "galera-bundle is unmanaged" in one.unmanaged.sentence


@pytest.mark.parametrize(
    "parameters",
    [
        {"site": ""},
        {"dump": "openstack_database.sql"},
        {"grants": "../grants.sql"},
        {"ending": "neither"},
        {"start_timeout_s": 0},
        {"join_timeout_s": "soon"},
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(parameters: dict[str, object]) -> None:
    good = {"site": "lab", "dump": DUMP, "grants": GRANTS}
    restore_galera.validate_parameters(good)
    with pytest.raises(ParameterTypeError):
        restore_galera.validate_parameters({**good, **parameters})


def test_a_run_that_is_cancelled_or_crashes_is_reported() -> None:
    assert restore_galera.on_cancellation_hooks
    assert restore_galera.on_crashed_hooks


def test_the_result_of_the_flow_is_not_kept() -> None:
    assert restore_galera.persist_result is False
