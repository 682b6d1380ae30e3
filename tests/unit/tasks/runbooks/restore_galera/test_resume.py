"""Where a restore is taken up again: the cases one by one, and what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import pytest

from blocks.remote.errors import RunbookError
from tasks.runbooks.restore_galera.resume import Observed, Order, Resume, how_to_go_on, unknown_saves
from tests.unit.flows.jobs import ORDER
from tests.unit.tasks.samples import HOSTS, KEPT, journal

DUMP, OTHER_DUMP = {"dump": "/root/d.sql 10 bytes of 100"}, {"dump": "/root/d.sql 11 bytes of 200"}
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
    dump: dict[str, str] = DUMP,
    adopting: bool = True,
) -> Resume:
    earlier = journal(begun=begun, subject=DUMP, kept={"old data": KEPT})
    return how_to_go_on(
        Order(ORDER), journal(subject=dump, run_id="2"), earlier, observed, NEXT, import_found, adopting
    )


@dataclass(frozen=True)
class Case:
    """What was under way, what is seen, and how it is gone on with."""

    begun: str
    observed: dict[str, Observed]
    dump: dict[str, str]
    resume: Resume

    @property
    def clients_in(self) -> bool:
        return self.begun in CLIENTS_BACK


@cache
def every_case() -> tuple[Case, ...]:
    """Every step × containers × servers × kept or not × import found or not × the same dump or another × the ending."""
    sides, either = (UP, DOWN, *SOME), (True, False)
    return tuple(
        Case(
            begun,
            seen(containers, servers, kept),
            dump,
            go_on(begun, seen(containers, servers, kept), found, dump, end),
        )
        for begun, containers, servers, kept, found, dump, end in product(
            ("", *ORDER), sides, sides, either, either, (DUMP, OTHER_DUMP), either
        )
    )


def test_the_order_has_every_documented_step_once_and_22_after_25() -> None:
    assert {str(number) for number in range(1, 26)} <= set(ORDER)
    assert len(set(ORDER)) == len(ORDER)
    assert ORDER.index("25") < ORDER.index("22")


# -- the cases


def test_a_first_attempt_takes_every_step_and_notes_where_the_old_data_will_be() -> None:
    resume = how_to_go_on(Order(ORDER), journal(), None, seen(kept=False), KEPT, import_found=False, adopting=True)
    assert (resume.settled, resume.rebuild, resume.kept, resume.why) == ((), False, KEPT, "")
    assert resume.journal.kept == {"old data": KEPT}


@pytest.mark.parametrize("begun", BEFORE_CLIENTS)
def test_an_attempt_that_had_not_moved_any_data_is_begun_again(begun: str) -> None:
    resume = go_on(begun, seen(kept=False))
    assert (resume.settled, resume.rebuild, resume.kept) == ((), False, KEPT)


@pytest.mark.parametrize("begun", BEFORE_CLIENTS)
def test_another_dump_is_built_from_the_beginning(begun: str) -> None:
    resume = go_on(begun, seen(), dump=OTHER_DUMP)
    assert (resume.settled, resume.rebuild, resume.kept) == ((), True, KEPT)
    assert resume.journal.subject == OTHER_DUMP


@pytest.mark.parametrize("begun", ["", *FIRST_STEPS])
@pytest.mark.parametrize("containers", [UP, DOWN, *SOME])
def test_the_first_steps_are_simply_taken_again(begun: str, containers: tuple[bool, ...]) -> None:
    resume = go_on(begun, seen(containers))
    assert (resume.settled, resume.rebuild) == ((), False)


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
    earlier = journal(begun=begun, subject=DUMP, kept={"old data": kept} if kept else {})
    with pytest.raises(RunbookError, match="2026-11-21 12:34 UTC") as refused:
        how_to_go_on(Order(ORDER), journal(subject=DUMP), earlier, seen(), KEPT, import_found=True, adopting=True)
    assert "original" in refused.value.hint


def test_attempts_are_counted() -> None:
    assert go_on("5", seen()).journal.attempts == 2


# -- what holds for all cases


def test_every_case_has_an_answer_that_says_why() -> None:
    assert all(case.resume.why for case in every_case())


def test_the_old_data_keeps_its_name_unless_there_is_new_data_of_clients() -> None:
    for case in every_case():
        assert case.resume.kept == (NEXT if case.clients_in and case.dump is OTHER_DUMP else KEPT)


def test_what_is_settled_is_the_beginning_of_the_order_and_never_the_step_that_was_under_way() -> None:
    for case in every_case():
        assert case.resume.settled == ORDER[: len(case.resume.settled)]
        assert case.begun not in case.resume.settled


def test_no_step_from_6_on_is_settled_where_nothing_was_kept() -> None:
    for case in every_case():
        if not any(one.kept for one in case.observed.values()) and not case.clients_in:
            assert case.resume.settled == ()


def test_nothing_is_discarded_where_nothing_was_kept_or_where_clients_are_in() -> None:
    for case in every_case():
        if case.resume.rebuild:
            assert any(one.kept for one in case.observed.values())
            assert not case.clients_in


def test_nothing_is_settled_of_a_database_that_is_built_again() -> None:
    for case in every_case():
        assert not (case.resume.rebuild and case.resume.settled)


def test_a_cluster_is_never_founded_beside_a_living_member() -> None:
    """Step 17 starts the first node with `gcomm://`, unless it runs: all others must be down, or 16 comes before it."""
    for case in every_case():
        first, *rest = (one.server_running for one in case.observed.values())
        if "17" not in case.resume.settled and "16" in case.resume.settled and not first:
            assert not any(rest), case


def test_the_data_of_another_dump_is_never_settled() -> None:
    for case in every_case():
        if case.dump is OTHER_DUMP:
            assert case.resume.settled == ()


# -- directories that nobody knows


def test_a_directory_that_a_journal_knows_is_no_reason_to_refuse() -> None:
    assert unknown_saves(seen(), [KEPT]) == []


@pytest.mark.parametrize("known", [[], [""], ["/var/lib/mysql-save-20200101T000000Z"]])
def test_a_directory_that_no_journal_knows_is_one_on_every_host_that_has_it(known: list[str]) -> None:
    told = unknown_saves(seen(), known)
    assert [one.split(":")[0] for one in told] == list(HOSTS)
    assert all(KEPT in one and "original" in one for one in told)


def test_every_unknown_directory_is_told() -> None:
    observed = {"controller-0": Observed(True, True, False, ("/var/lib/mysql-save", KEPT, "/var/lib/mysql-save.old"))}
    assert len(unknown_saves(observed, [KEPT])) == 2
