"""Where a restore is taken up again: the cases one by one, and what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import pytest

from blocks.remote.errors import RunbookError
from tasks.engine.order import Order
from tasks.runbooks.restore_galera.resume import (
    Observed,
    Resume,
    Situation,
    contents_of,
    how_to_go_on,
    unknown_saves,
)
from tasks.runbooks.restore_galera.state import Contents, RestoreState
from tests.unit.flows.jobs import ORDER
from tests.unit.tasks.runbooks.restore_galera.journals import restore_journal
from tests.unit.tasks.samples import HOSTS, KEPT, journal

GRANTS = "/root/g.sql 10 bytes of 100"
DUMP = Contents(dump="/root/d.sql 10 bytes of 100", grants=GRANTS)
OTHER_DUMP = Contents(dump="/root/d.sql 11 bytes of 200", grants=GRANTS)
FIRST_STEPS = ORDER[: ORDER.index("9")]
BUILDING = ORDER[ORDER.index("9") : ORDER.index("17")]
TEMPORARY = ORDER[ORDER.index("11") : ORDER.index("16")]
IMPORTS = ("15", "15b")
FORMING = ORDER[ORDER.index("17") : ORDER.index("21")]
HANDING_OVER = ORDER[ORDER.index("21") : ORDER.index("22")]
CLIENTS_BACK = ORDER[ORDER.index("22") :]
BEFORE_CLIENTS = ("", *ORDER[: ORDER.index("22")])

NEXT = "/var/lib/mysql-save-20261122T000000Z"
UP, DOWN = (True, True, True), (False, False, False)
SOME = ((True, False, False), (True, True, False), (False, True, True), (False, False, True))


def seen(containers: tuple[bool, ...] = UP, servers: tuple[bool, ...] = UP, kept: bool = True) -> dict[str, Observed]:
    saves = (KEPT,) if kept else ()
    return {
        name: Observed(container, container and server, kept, saves)
        for name, container, server in zip(HOSTS, containers, servers, strict=True)
    }


def go_on(
    begun: str,
    observed: dict[str, Observed],
    import_found: bool = True,
    dump: Contents = DUMP,
    adopting: bool = True,
    fenced: bool = True,
    managed: bool = False,
    **earlier: Any,
) -> Resume:
    """Go on after an attempt that died at this step, having settled all before it."""
    settled = ORDER[: ORDER.index(begun)] if begun else ()
    before = restore_journal(
        **{"begun": begun, "contents": DUMP, "settled": settled, "kept": {"old data": KEPT}, **earlier}
    )
    situation = Situation(fenced, managed, import_found)
    return how_to_go_on(
        Order(ORDER), restore_journal(contents=dump, run_id="2"), before, observed, situation, NEXT, adopting
    )


@dataclass(frozen=True)
class Case:
    """What was under way, what is seen, and how it is gone on with."""

    begun: str
    observed: dict[str, Observed]
    dump: Contents
    fenced: bool
    managed: bool
    exposed: bool
    resume: Resume | None

    @property
    def clients_in(self) -> bool:
        return self.begun in CLIENTS_BACK

    @property
    def clients_may_be_in(self) -> bool:
        """Let in on purpose; or by a rule that is gone, once Pacemaker starts databases, or where one runs."""
        moved = any(host.kept for host in self.observed.values())
        running = any(host.server_running for host in self.observed.values())
        given_back = self.begun in ORDER[ORDER.index("25") :]
        formed = self.begun in ORDER[ORDER.index("17") :]
        gone = moved and not self.fenced and formed and (given_back or running)
        return self.clients_in or self.exposed or gone

    @property
    def new_job(self) -> bool:
        return self.resume is not None and self.resume.supersedes is not None


def _case(
    begun: str,
    observed: dict[str, Observed],
    found: bool,
    dump: Contents,
    end: bool,
    fenced: bool,
    managed: bool,
    exposed: bool,
) -> Case:
    try:
        resume = go_on(begun, observed, found, dump, end, fenced, managed, exposed=exposed)
    except RunbookError:
        resume = None
    return Case(begun, observed, dump, fenced, managed, exposed, resume)


@cache
def every_case() -> tuple[Case, ...]:
    """All that can be seen, at every step.

    Containers and servers, kept or not, import found or not, the same dump or another, the ending, the rule there or not,
    Pacemaker in charge or not, clients possibly in before or not.
    """
    either = (True, False)
    sides = [(UP, UP), (DOWN, DOWN), (UP, DOWN), *((UP, some) for some in SOME), (SOME[1], UP), (SOME[2], UP)]
    observed = [seen(containers, servers, kept) for containers, servers in sides for kept in either]
    return tuple(
        _case(begun, hosts, found, dump, end, fenced, managed, exposed and begun in ORDER[ORDER.index("17") :])
        for begun, hosts, found, dump, end, fenced, managed, exposed in product(
            ("", *ORDER), observed, either, (DUMP, OTHER_DUMP), either, either, either, either
        )
        if found or begun in IMPORTS
    )


@cache
def every_way() -> tuple[tuple[Case, Resume], ...]:
    """Every case that is not refused, and how it is gone on with."""
    return tuple((case, case.resume) for case in every_case() if case.resume is not None)


def test_the_order_has_every_documented_step_once_and_22_after_25() -> None:
    assert {str(number) for number in range(1, 26)} <= set(ORDER)
    assert len(set(ORDER)) == len(ORDER)
    assert ORDER.index("25") < ORDER.index("22")


# -- the cases


def test_a_first_attempt_takes_every_step_and_notes_where_the_old_data_will_be() -> None:
    nothing = Situation(fenced=False, managed=True, import_found=False)
    resume = how_to_go_on(Order(ORDER), journal(), None, seen(kept=False), nothing, KEPT, adopting=True)
    assert (resume.settled, resume.rebuild, resume.kept, resume.why) == ((), False, KEPT, "")
    assert resume.journal.kept == {"old data": KEPT}


@pytest.mark.parametrize("begun", BEFORE_CLIENTS)
def test_an_attempt_that_had_not_moved_any_data_is_begun_again(begun: str) -> None:
    resume = go_on(begun, seen(kept=False))
    assert (resume.settled, resume.rebuild, resume.kept) == ((), False, KEPT)


@pytest.mark.parametrize("begun", BEFORE_CLIENTS)
def test_another_dump_is_built_from_the_beginning(begun: str) -> None:
    resume = go_on(begun, seen(), dump=OTHER_DUMP)
    assert (resume.settled, resume.rebuild, resume.kept) == ((), begun in ORDER[ORDER.index("7") :], KEPT)
    assert resume.journal.state_as(RestoreState).contents == OTHER_DUMP


@pytest.mark.parametrize("begun", ["", *FIRST_STEPS])
@pytest.mark.parametrize("containers", [UP, DOWN, *SOME])
def test_the_first_steps_are_simply_taken_again(begun: str, containers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(containers))
    assert (resume.settled, resume.rebuild) == ((), begun == "7")


@pytest.mark.parametrize("begun", BUILDING)
@pytest.mark.parametrize("containers", [DOWN, *SOME])
def test_a_database_whose_container_has_stopped_is_built_again(begun: str, containers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(containers))
    assert (resume.settled, resume.rebuild) == ((), True)
    assert "container has stopped" in resume.why


@pytest.mark.parametrize("begun", TEMPORARY)
@pytest.mark.parametrize("servers", [DOWN, *SOME])
def test_a_database_whose_temporary_server_has_stopped_is_built_again(begun: str, servers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(servers=servers))
    assert (resume.settled, resume.rebuild) == ((), True)
    assert "temporary server" in resume.why


@pytest.mark.parametrize("begun", ["9", "10", "16"])
@pytest.mark.parametrize("servers", [UP, DOWN, *SOME])
def test_where_the_servers_are_just_made_or_ended_they_may_be_up_or_down(begun: str, servers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(servers=servers))
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index(begun)], False)


@pytest.mark.parametrize("begun", BUILDING)
def test_a_half_built_database_is_continued_where_all_of_it_still_runs(begun: str) -> None:
    resume = go_on(begun, seen())
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index(begun)], False)
    assert f"step {begun}" in resume.why


@pytest.mark.parametrize("begun", IMPORTS)
@pytest.mark.parametrize(("found", "rebuild"), [(True, False), (False, True)])
def test_an_import_is_continued_only_where_it_is_found(begun: str, found: bool, rebuild: bool) -> None:
    assert go_on(begun, seen(), import_found=found).rebuild is rebuild


@pytest.mark.parametrize("begun", [step for step in BUILDING if step not in IMPORTS])
def test_at_no_other_step_does_the_import_matter(begun: str) -> None:
    assert not go_on(begun, seen(), import_found=False).rebuild


ADOPTED = pytest.mark.parametrize("begun", [*FORMING, *HANDING_OVER])


@ADOPTED
@pytest.mark.parametrize("servers", [(False, True, True), (False, True, False), (False, False, True)])
def test_where_only_the_bootstrap_node_is_down_all_are_shut_down_before_the_cluster_is_founded_again(
    begun: str, servers: tuple[bool, ...]
) -> None:
    resume = go_on(begun, seen(servers=servers))
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index("16")], False)


@ADOPTED
def test_where_no_database_is_up_the_cluster_is_founded_again(begun: str) -> None:
    resume = go_on(begun, seen(servers=DOWN))
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index("17")], False)


@ADOPTED
@pytest.mark.parametrize("servers", [(True, False, True), (True, True, False), (True, False, False)])
def test_where_the_bootstrap_node_is_up_the_others_are_started_again(begun: str, servers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(servers=servers))
    assert "16" in resume.settled
    assert "20" not in resume.settled
    assert not resume.rebuild


@pytest.mark.parametrize("begun", HANDING_OVER)
@pytest.mark.parametrize("servers", [DOWN, *SOME, UP])
def test_what_was_shut_down_for_the_documented_restart_stays_down(begun: str, servers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(servers=servers), adopting=False)
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index(begun)], False)


@ADOPTED
@pytest.mark.parametrize("adopting", [True, False])
def test_a_formed_cluster_is_gone_on_with(begun: str, adopting: bool) -> None:
    resume = go_on(begun, seen(), adopting=adopting)
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index(begun)], False)


@pytest.mark.parametrize("begun", CLIENTS_BACK)
@pytest.mark.parametrize("servers", [UP, DOWN, *SOME])
@pytest.mark.parametrize("kept", [True, False])
def test_a_cluster_that_clients_may_write_to_is_only_checked(begun: str, servers: tuple[bool, ...], kept: bool) -> None:
    resume = go_on(begun, seen(servers=servers, kept=kept))
    assert (resume.settled, resume.rebuild) == (ORDER[: ORDER.index("25d")], False)
    assert resume.clients_in


@pytest.mark.parametrize("begun", CLIENTS_BACK)
def test_another_dump_after_clients_were_let_in_keeps_their_data_aside_too(begun: str) -> None:
    resume = go_on(begun, seen(), dump=OTHER_DUMP)
    assert (resume.settled, resume.rebuild, resume.clients_in) == ((), False, False)
    assert resume.kept == NEXT
    assert resume.journal.kept == {"old data": NEXT}
    assert resume.supersedes is not None
    assert resume.supersedes.kept == {"old data": KEPT}


@pytest.mark.parametrize("begun", BEFORE_CLIENTS)
def test_clients_are_not_in_before_they_are_let_in(begun: str) -> None:
    resume = go_on(begun, seen())
    assert not resume.clients_in
    assert resume.supersedes is None


@pytest.mark.parametrize(
    ("begun", "kept"), [("7b", KEPT), ("26", KEPT), ("nonsense", KEPT), ("5", ""), ("", ""), ("V4", "")]
)
def test_a_journal_that_cannot_be_understood_is_refused(begun: str, kept: str) -> None:
    earlier = restore_journal(begun=begun, contents=DUMP, kept={"old data": kept} if kept else {})
    situation = Situation(fenced=True, managed=False, import_found=True)
    with pytest.raises(RunbookError, match="2026-11-21 12:34 UTC") as refused:
        how_to_go_on(Order(ORDER), restore_journal(contents=DUMP), earlier, seen(), situation, KEPT, adopting=True)
    assert "original" in refused.value.hint


def test_attempts_are_counted() -> None:
    assert go_on("5", seen()).journal.attempts == 2


# -- what is known of the data directory


@pytest.mark.parametrize("begun", ["2", "4", "5", "6", "7"])
def test_what_an_attempt_was_to_discard_is_discarded_by_the_next_one(begun: str) -> None:
    """The first attempt has loaded a dump, the second was to load another one and died before it made the directory anew."""
    second = go_on("15b", seen(), dump=OTHER_DUMP)
    assert second.rebuild
    left = second.journal.model_copy(update={"begun": begun, "settled": list(ORDER[: ORDER.index(begun)])})
    third = go_on(
        begun,
        seen(),
        dump=OTHER_DUMP,
        contents=left.state_as(RestoreState).contents,
        settled=left.settled,
        attempts=left.attempts,
    )
    assert (third.rebuild, third.settled) == (True, ())


def test_it_is_known_by_what_it_was_loaded_from_once_the_directory_was_made_anew() -> None:
    assert contents_of(restore_journal(contents=DUMP, settled=["6"])) is None
    assert contents_of(restore_journal(contents=DUMP, settled=["6", "7"])) == DUMP
    assert contents_of(restore_journal(settled=["6", "7"])) is None


def test_other_grants_are_other_contents() -> None:
    resume = go_on("20", seen(), dump=Contents(dump=DUMP.dump, grants="/root/g.sql 11 bytes of 200"))
    assert resume.rebuild


@pytest.mark.parametrize("begun", [*BUILDING, *FORMING, *HANDING_OVER])
@pytest.mark.parametrize("again", ["2", "4", "8"])
def test_a_step_that_is_taken_in_every_attempt_is_not_the_place_that_it_has_got_to(begun: str, again: str) -> None:
    once = go_on(begun, seen())
    twice = go_on(again, seen(), settled=ORDER[: ORDER.index(begun)], attempts=2)
    assert (twice.settled, twice.rebuild) == (once.settled, once.rebuild)


# -- a rule that is gone


@pytest.mark.parametrize("begun", [step for step in HANDING_OVER if ORDER.index(step) >= ORDER.index("25")])
@pytest.mark.parametrize("servers", [UP, DOWN, *SOME])
def test_clients_count_as_let_in_where_pacemaker_has_the_database_and_a_rule_is_gone(
    begun: str, servers: tuple[bool, ...]
) -> None:
    resume = go_on(begun, seen(servers=servers), fenced=False, managed=True)
    assert (resume.settled, resume.rebuild, resume.clients_in) == (ORDER[: ORDER.index("25d")], False, True)
    assert "another name" in resume.why


@pytest.mark.parametrize("begun", [step for step in HANDING_OVER if ORDER.index(step) >= ORDER.index("25")])
@pytest.mark.parametrize("servers", [UP, DOWN, *SOME])
def test_what_they_may_have_written_is_kept_aside_where_pacemaker_has_lost_it_again(
    begun: str, servers: tuple[bool, ...]
) -> None:
    resume = go_on(begun, seen(servers=servers), fenced=False, managed=False)
    assert (resume.settled, resume.rebuild, resume.kept) == ((), False, NEXT)
    assert resume.supersedes is not None


@pytest.mark.parametrize("begun", FORMING)
def test_no_cluster_is_founded_before_a_member_that_clients_could_reach(begun: str) -> None:
    resume = go_on(begun, seen(servers=(False, True, True)), fenced=False)
    assert (resume.settled, resume.rebuild, resume.kept) == ((), False, NEXT)


@pytest.mark.parametrize("begun", FORMING)
def test_that_clients_could_reach_it_is_not_forgotten_when_the_rule_is_set_again(begun: str) -> None:
    second = go_on(begun, seen(servers=(True, True, False)), fenced=False)
    assert second.journal.state_as(RestoreState).exposed
    third = go_on(begun, seen(servers=(False, True, False)), exposed=second.journal.state_as(RestoreState).exposed)
    assert third.kept == NEXT


@pytest.mark.parametrize("begun", FORMING)
def test_controllers_that_have_lost_power_are_restored_where_pacemaker_did_not_have_the_database(begun: str) -> None:
    resume = go_on(begun, seen(DOWN, DOWN), fenced=False, managed=False)
    assert (resume.settled, resume.rebuild, resume.kept) == (ORDER[: ORDER.index("17")], False, KEPT)


@pytest.mark.parametrize("begun", BEFORE_CLIENTS[: BEFORE_CLIENTS.index("25")])
def test_what_somebody_has_finished_by_hand_is_not_touched(begun: str) -> None:
    with pytest.raises(RunbookError, match="somebody has finished it by hand"):
        go_on(begun, seen(servers=(False, True, True)), fenced=False, managed=True)


# -- what holds for all cases


def test_every_case_has_an_answer_that_says_why() -> None:
    assert all(resume.why for _, resume in every_way())


def test_only_what_somebody_has_finished_by_hand_is_refused() -> None:
    for case in every_case():
        moved = any(host.kept for host in case.observed.values())
        before = case.begun not in ORDER[ORDER.index("25") :]
        assert (case.resume is None) is (case.managed and not case.fenced and moved and before)


def test_the_old_data_keeps_its_name_unless_there_is_new_data_of_clients() -> None:
    for case, resume in every_way():
        assert resume.kept == (NEXT if case.new_job else KEPT)
        assert not case.new_job or case.clients_may_be_in


def test_what_is_settled_is_the_beginning_of_the_order_and_never_the_step_that_was_under_way() -> None:
    for case, resume in every_way():
        assert resume.settled == ORDER[: len(resume.settled)]
        assert case.begun not in resume.settled or (resume.clients_in and not case.clients_in)


def test_no_step_from_6_on_is_settled_where_nothing_was_kept() -> None:
    for case, resume in every_way():
        if not any(host.kept for host in case.observed.values()) and not resume.clients_in:
            assert resume.settled == ()


def test_nothing_is_discarded_where_nothing_was_kept_or_where_clients_may_be_in() -> None:
    for case, resume in every_way():
        if resume.rebuild:
            assert any(host.kept for host in case.observed.values())
            assert not case.clients_may_be_in


def test_where_clients_may_be_in_no_cluster_is_founded_but_after_their_data_was_kept_aside() -> None:
    for case, resume in every_way():
        if case.clients_may_be_in and not case.new_job and any(host.kept for host in case.observed.values()):
            first_runs = next(iter(case.observed.values())).server_running
            restarts = case.begun in HANDING_OVER and resume.settled == ORDER[: ORDER.index(case.begun)]
            assert "17" in resume.settled or first_runs or restarts, case


def test_nothing_is_settled_of_a_database_that_is_built_again() -> None:
    for _, resume in every_way():
        assert not (resume.rebuild and resume.settled)


def test_a_cluster_is_never_founded_beside_a_living_member() -> None:
    """Step 17 starts the first node with `gcomm://`, unless it runs: all others must be down, or 16 comes before it."""
    for case, resume in every_way():
        first, *rest = (host.server_running for host in case.observed.values())
        if "17" not in resume.settled and "16" in resume.settled and not first:
            assert not any(rest), case


def test_the_data_of_another_dump_is_never_settled() -> None:
    for case, resume in every_way():
        if case.dump is OTHER_DUMP:
            assert resume.settled == ()


# -- directories that nobody knows


def test_a_directory_that_a_journal_knows_is_no_reason_to_refuse() -> None:
    assert unknown_saves(seen(), [KEPT]) == []


@pytest.mark.parametrize("known", [[], [""], ["/var/lib/mysql-save-20200101T000000Z"]])
def test_a_directory_that_no_journal_knows_is_one_on_every_host_that_has_it(known: list[str]) -> None:
    told = unknown_saves(seen(), known)
    assert [reason.split(":")[0] for reason in told] == list(HOSTS)
    assert all(KEPT in reason and "original" in reason for reason in told)


def test_every_unknown_directory_is_told() -> None:
    observed = {"controller-0": Observed(True, True, False, ("/var/lib/mysql-save", KEPT, "/var/lib/mysql-save.old"))}
    assert len(unknown_saves(observed, [KEPT])) == 2
