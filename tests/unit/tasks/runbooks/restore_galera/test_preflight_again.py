"""What preflight finds of an earlier attempt, and what it makes of that."""

from __future__ import annotations

import pytest

from blocks.remote.errors import Refused
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.runbooks.restore_galera.state import Contents
from tests.unit.fakes import FakeShell
from tests.unit.flows.jobs import ORDER
from tests.unit.tasks.control_plane import (
    ACCEPTING,
    BLOCKING,
    DUMP,
    DUMP_TEXT,
    GIB,
    GRANTS,
    GRANTS_TEXT,
    control_plane,
    directory,
    interrupted,
)
from tests.unit.tasks.crm import Replica, in_cib, pacemaker_2_1
from tests.unit.tasks.looking import Break, Shells, answer, changed_nothing, look, refusal
from tests.unit.tasks.runbooks.restore_galera.journals import restore_journal
from tests.unit.tasks.samples import KEPT, journal

pytestmark = pytest.mark.usefixtures("no_engine")


def earlier(begun: str, finished: bool = False) -> str:
    """A journal of this very job, as a host prints it."""
    size = len(DUMP_TEXT)
    subject = {
        "dump": f"{DUMP} {size} bytes of 1763726400",
        "grants": f"{GRANTS} {len(GRANTS_TEXT)} bytes of 1763726400",
    }
    settled = ORDER[: ORDER.index(begun)] if begun else ()
    kept = {"old data": KEPT}
    of_job = restore_journal(begun=begun, contents=Contents(**subject), settled=settled, kept=kept, finished=finished)
    return of_job.model_dump_json() + "\n"


def with_journal(text: str) -> Run:
    run, shells = control_plane()
    interrupted(shells, text)
    return run


def test_an_unfinished_run_of_the_same_job_is_gone_on_with() -> None:
    _, resume = look(with_journal(earlier("17")))
    assert "16" in resume.settled
    assert (resume.kept, resume.rebuild) == (KEPT, False)


def test_an_unfinished_run_of_another_dump_is_built_again() -> None:
    _, resume = look(with_journal(earlier("17").replace(" bytes of", "0 bytes of")))
    assert (resume.rebuild, resume.settled, resume.kept) == (True, (), KEPT)


@pytest.mark.parametrize(("load", "found"), [("loaded", True), ("not-found", False)])
def test_an_import_under_way_is_found_by_its_unit(load: str, found: bool) -> None:
    run = with_journal(earlier("15"))
    first = run.first
    assert isinstance(first, FakeShell)
    first.on("systemctl show", "restore-galera-load", say=f"LoadState={load}\nActiveState=active\nSubState=running\n")
    _, resume = look(run)
    assert resume.rebuild is not found
    assert ("14" in resume.settled) is found


def test_what_a_finished_run_has_kept_is_no_reason_to_refuse() -> None:
    _, resume = look(with_journal(earlier("V4", finished=True)))
    assert resume.settled == ()
    assert resume.journal.attempts == 1
    assert resume.kept == KEPT


def test_data_that_is_discarded_gives_its_room_back() -> None:
    run = with_journal(earlier("17").replace(" bytes of", "0 bytes of"))
    for shell in run.shells.values():
        assert isinstance(shell, FakeShell)
        shell.on("mountpoint", say=directory(used=10 * GIB, free=GIB // 10, saves=(KEPT,)))
    look(run)


def finished_by_hand(begun: str) -> tuple[Run, Shells]:
    """A cluster that is promoted, managed and open to clients, and a journal that knows nothing of it."""
    run, shells = control_plane()
    interrupted(shells, earlier(begun))
    shells[0].on("cibadmin", "//bundle", say=in_cib())
    for shell in shells:
        shell.on("iptables -w -S INPUT", say=ACCEPTING)
    return run, shells


@pytest.mark.parametrize("begun", ["15", "20", "24a"])
def test_what_somebody_has_finished_by_hand_is_not_discarded(begun: str) -> None:
    run, shells = finished_by_hand(begun)
    (told,) = refusal(run, shells)
    assert f"did not get beyond step {begun}" in told
    assert "somebody has finished it by hand" in told
    assert "on the first controller, move /var/lib/openstack-runbooks/restore-galera/current.json away" in told


def test_each_controller_is_asked_for_the_rule_of_step_2() -> None:
    run, shells = finished_by_hand("15")
    refusal(run, shells)
    assert [len(shell.lines("iptables -w -S INPUT")) for shell in shells] == [1, 1, 1]


def blocked_everywhere(shells: Shells) -> None:
    for shell in shells:
        shell.on("iptables -w -S INPUT", say=BLOCKING)


UNFINISHED: dict[str, Break] = {
    "the rule stands on every controller": blocked_everywhere,
    "galera is unmanaged": answer(0, "cibadmin", "//bundle", say=in_cib("false", "false")),
}


@pytest.mark.parametrize("case", UNFINISHED)
def test_nobody_has_finished_it_where(case: str) -> None:
    run, shells = finished_by_hand("15")
    UNFINISHED[case](shells)
    _, resume = look(run)
    assert resume.rebuild
    changed_nothing(shells)


OPEN: dict[str, Break] = {
    "the rule is left on the first controller": answer(0, "iptables -w -S INPUT", say=BLOCKING),
    "the rule is left on the last controller alone": answer(2, "iptables -w -S INPUT", say=BLOCKING),
    "a replica is not promoted": answer(0, "crm_mon", say=pacemaker_2_1([Replica(), Replica(), Replica("Unpromoted")])),
    "a database is down": answer(0, "pgrep", say=""),
}


@pytest.mark.parametrize("case", OPEN)
def test_what_somebody_has_finished_by_hand_is_not_discarded_either_where(case: str) -> None:
    run, shells = finished_by_hand("15")
    OPEN[case](shells)
    (told,) = refusal(run, shells)
    assert "somebody has finished it by hand" in told


@pytest.mark.parametrize("begun", ["25d", "V1", "22", "V3", "V4"])
def test_a_cluster_that_clients_have_is_only_checked(begun: str) -> None:
    run, _ = finished_by_hand(begun)
    _, resume = look(run)
    assert resume.clients_in
    assert resume.settled[-1] == "25e"


def test_nothing_is_on_record_where_there_is_no_earlier_attempt() -> None:
    run, _ = control_plane()
    look(run)
    assert (run.journal.in_force, run.journal.kept) == ({}, {})


@pytest.mark.parametrize("refused", [False, True])
def test_what_an_earlier_attempt_left_is_on_the_record_of_this_one(refused: bool) -> None:
    left = journal(begun="17", kept={"old data": KEPT}, in_force={"clients": "clients are blocked"})
    run = with_journal(left.model_dump_json() + "\n")
    if refused:
        run.checks.append(Check("lock", "", "", "another runbook is at work"))
        with pytest.raises(Refused):
            look(run)
    else:
        look(run)
    assert run.journal.in_force == {"clients": "clients are blocked"}
    assert run.journal.kept == {"old data": KEPT}
    assert run.journal.begun == ""
