"""set-telemetry-interval on fake hosts: preflight's list, the plan, what is done twice, cut short, put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from blocks.remote.errors import Refused
from blocks.remote.shell import Shell
from flows.set_telemetry_interval import procedure
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.runbooks.set_telemetry_interval.polling_change import PollingChange, look
from tests.unit.fakes import FakeShell
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.samples import HOSTS, SITE, journal
from tests.unit.tasks.telemetry import test_kolla as kolla_container

pytestmark = pytest.mark.usefixtures("no_engine", "clock")

PATH = "/var/lib/config-data/puppet-generated/ceilometer/etc/ceilometer/polling.yaml"
READ = 'printf "%s\\n" "$f"; cat "$f"'
STAMP, OLDER = "20261121T123456Z", "20251121T000000Z"
KEPT = f"{PATH}.before-{STAMP}"


def text(interval: int) -> str:
    return f"sources:\n  - name: pollsters\n    interval: {interval}\n    meters: [cpu]\n"


def host(
    name: str,
    interval: int = 300,
    kept: Mapping[str, str] | None = None,
    agents: str = "ceilometer_agent_compute Up 3 days\n",
) -> FakeShell:
    """A compute node that polls every so many seconds; what it has kept, by its stamp."""
    shell = FakeShell(name, otherwise="")
    shell.on(READ, say=f"{PATH}\n{text(interval)}")
    for stamp, content in (kept or {}).items():
        shell.on(READ, f"{PATH}.before-{stamp}", say=f"{PATH}.before-{stamp}\n{content}")
    shell.on(".before-*", say="".join(f"{stamp}\n" for stamp in kept or {}))
    return shell.on("list-units", say="").on("podman ps", say=agents)


@pytest.fixture
def make() -> Callable[..., Run]:
    def make(*shells: FakeShell) -> Run:
        by_name: dict[str, Shell] = {shell.name: shell for shell in shells}
        return Run("set-telemetry-interval", SITE, by_name, False, journal())

    return make


def plan(job: PollingChange) -> Plan:
    made = Plan()
    procedure(made, job)
    return made


def test_the_plan_is_the_golden_one(make: Callable[..., Run]) -> None:
    job = look(make(*(host(name) for name in HOSTS)), 60, False)
    assert_golden("set-telemetry-interval", plan(job))
    assert KEPT in job.summary
    assert "every 60 s instead of 300 s" in job.summary
    assert "not for production" in job.warnings[0]


def test_only_what_reads_the_file_is_restarted_one_host_after_the_other(make: Callable[..., Run]) -> None:
    both = "".join(f"ceilometer_agent_{kind} Up 3 days\n" for kind in ("compute", "central", "notification"))
    both += "nova_api Up 3 days\n"
    job = look(make(host("controller-0", agents=both), host("controller-1")), 60, False)
    steps = [(step.number, step.sentence, step.hosts, step.one_at_a_time) for step in plan(job).steps[1:]]
    assert steps == [
        ("5.1", "Restart ceilometer_agent_central", ("controller-0",), True),
        ("5.2", "Restart ceilometer_agent_compute", ("controller-0", "controller-1"), True),
    ]


def test_the_notification_agent_is_restarted_where_it_reads_the_same_file(make: Callable[..., Run]) -> None:
    units = "".join(
        f"openstack-ceilometer-{kind}.service loaded active running -\n" for kind in ("central", "notification")
    )
    shell = host("controller-0", agents="").on("list-units", say=units)
    shell.on(READ, say=f"/etc/ceilometer/pipeline.yaml\n{text(600)}")
    assert look(make(shell), 60, False).agent_names == units.replace(" loaded active running -", "").split()


def test_where_every_host_has_the_interval_nothing_is_restarted(make: Callable[..., Run]) -> None:
    job = look(make(host("controller-0", 60)), 60, False)
    assert job.nothing_to_do
    assert plan(job).steps[-1].note.startswith("left out: every host has this interval")


def test_after_an_attempt_that_was_cut_short_the_agents_are_restarted_all_the_same(
    make: Callable[..., Run],
) -> None:
    shell = host("controller-0", 60)
    shell.on(
        "*.json", say="current.json\t" + journal(runbook="set-telemetry-interval", begun="4").model_dump_json() + "\n"
    )
    job = look(make(shell), 60, False)
    assert not job.nothing_to_do
    assert (job.journal.attempts, job.journal.begun) == (2, "4")
    assert plan(job).steps[-1].sentence == "Restart ceilometer_agent_compute"


def test_everything_that_is_wrong_is_told_at_once(make: Callable[..., Run]) -> None:
    broken, idle, none = (host(name) for name in HOSTS)
    broken.on(READ, say=f"{PATH}\nsources: [\n")
    idle.on("podman ps", say="nova_compute Up 3 days\n")
    none.on(READ, say=4)
    with pytest.raises(Refused) as refused:
        look(make(broken, idle, none), 60, False)
    said = sorted(refused.value.reasons)
    assert [reason.split(":")[0] for reason in said] == list(HOSTS)
    assert "is no YAML" in said[0]
    assert "none of Ceilometer's agents that poll is there" in said[1]
    assert f"has no {PATH}" in said[2]


def test_a_journal_that_can_not_be_read_is_told_with_all_else(make: Callable[..., Run]) -> None:
    first, second = host("controller-0").on("*.json", say="current.json\thalf\n"), host("controller-1").on(READ, say=4)
    with pytest.raises(Refused) as refused:
        look(make(first, second), 60, False)
    assert [reason.split(":")[0] for reason in refused.value.reasons] == ["controller-1", "controller-0"]


def test_a_host_s_own_file_that_its_containers_never_read_is_not_taken_for_theirs(make: Callable[..., Run]) -> None:
    shell = host("controller-0").on(READ, say=4)
    shell.on(READ, " /etc/ceilometer/polling.yaml", say=f"/etc/ceilometer/polling.yaml\n{text(300)}")
    with pytest.raises(Refused, match="ManagePolling"):
        look(make(shell), 60, False)


def test_the_file_that_was_kept_last_is_put_back(make: Callable[..., Run]) -> None:
    job = look(make(host("controller-0", 60, {OLDER: text(600), STAMP: text(300)})), 60, True)
    assert job.stamp == STAMP
    assert f"bash {PATH} {KEPT}" in plan(job).text()
    assert not job.nothing_to_do


def test_what_an_attempt_that_was_cut_short_has_put_back_is_not_gone_back_from_again(
    make: Callable[..., Run],
) -> None:
    shell = host("controller-0", kept={OLDER: text(600)})
    earlier = journal(runbook="set-telemetry-interval", begun="4", kept={"put back from those dated": STAMP})
    shell.on("*.json", say="current.json\t" + earlier.model_dump_json() + "\n")
    assert look(make(shell), 60, True).stamp == STAMP


def test_a_host_that_has_not_what_the_others_have_kept_is_left_as_it_is(make: Callable[..., Run]) -> None:
    new, other = host("controller-0", kept={OLDER: text(600)}), host("controller-1", 60, {STAMP: text(300)})
    job = look(make(new, other), 60, True)
    assert job.stamp == STAMP
    already = job.change("controller-0").already
    assert already is not None
    assert already(new)
    assert not already(other)


@pytest.mark.parametrize("kept", [text(300) + "# new meters since\n", "sources: [\n"])
def test_a_file_that_has_changed_since_in_more_than_its_interval_is_not_thrown_away(
    make: Callable[..., Run], kept: str
) -> None:
    with pytest.raises(Refused, match=f"changed in more than its interval since {STAMP}"):
        look(make(host("controller-0", 60, {STAMP: kept})), 60, True)


def test_a_broken_file_is_put_aside_and_the_old_one_put_back(make: Callable[..., Run]) -> None:
    shell = host("controller-0", 60, {STAMP: text(300)}).on(READ, f" {PATH}", say=f"{PATH}\nsources: [\n")
    shell.on(READ, KEPT, say=f"{KEPT}\n{text(300)}")
    with pytest.raises(Refused, match="is no YAML"):
        look(make(shell), 60, False)
    job = look(make(shell), 60, True)
    assert job.warnings == [f"controller-0: {PATH} is broken, and is kept as {PATH}.broken-{STAMP}"]
    assert f"{PATH}.broken-{STAMP}" in plan(job).text()
    assert STAMP in job.summary


@pytest.mark.parametrize(("content", "stamp"), [(text(300), OLDER), (text(300) + "# other meters\n", STAMP)])
def test_an_attempt_that_goes_on_keeps_a_file_that_was_written_anew_meanwhile(
    make: Callable[..., Run], content: str, stamp: str
) -> None:
    shell = host("controller-0", kept={OLDER: content})
    earlier = journal(runbook="set-telemetry-interval", begun="5", kept={"old files, dated": OLDER})
    shell.on("*.json", say="current.json\t" + earlier.model_dump_json() + "\n")
    assert look(make(shell), 30, False).stamp == stamp


@pytest.mark.parametrize("put_back", [True, False])
def test_an_agent_that_an_earlier_attempt_has_left_dead_is_restarted(make: Callable[..., Run], put_back: bool) -> None:
    dead = "ceilometer_agent_compute Exited (1) 2 minutes ago\nceilometer_agent_ipmi Exited (1) 3 weeks ago\n"
    shell = host("controller-0", 60, {STAMP: text(300)}, agents=dead)
    names = {"agents": {"controller-0": ["ceilometer_agent_compute"]}}
    earlier = journal(runbook="set-telemetry-interval", begun="5", kept={"old files, dated": STAMP}, state=names)
    shell.on("*.json", say="current.json\t" + earlier.model_dump_json() + "\n")
    assert look(make(shell), 30, put_back).agent_names == ["ceilometer_agent_compute"]


def test_a_broken_file_without_an_old_one_is_no_reason_to_restart_what_reads_it(make: Callable[..., Run]) -> None:
    broken = host("controller-0").on(READ, say=f"{PATH}\nsources: [\n")
    with pytest.raises(Refused) as refused:
        look(make(broken, host("controller-1", 60, {STAMP: text(300)})), 60, True)
    (reason,) = refused.value.reasons
    assert reason.startswith(f"controller-0: {PATH} is broken, and no {KEPT} is there")


def test_an_agent_that_died_once_its_run_had_ended_is_restarted_with_the_old_file(make: Callable[..., Run]) -> None:
    agents = "ceilometer_agent_compute Exited (1) 2 minutes ago\nceilometer_agent_ipmi Up 3 days\n"
    shell = host("controller-0", 60, {STAMP: text(300)}, agents=agents)
    names = {"agents": {"controller-0": ["ceilometer_agent_compute", "ceilometer_agent_ipmi"]}}
    ended = journal(runbook="set-telemetry-interval", finished=True, kept={"old files, dated": STAMP}, state=names)
    shell.on("*.json", say="current.json\t" + ended.model_dump_json() + "\n")
    assert look(make(shell), 60, True).agent_names == ["ceilometer_agent_compute", "ceilometer_agent_ipmi"]
    # Months later it may be off on purpose.
    job = look(make(shell), 30, False)
    assert job.agent_names == ["ceilometer_agent_ipmi"]
    assert job.warnings[1:] == ["controller-0: ceilometer_agent_compute does not run, and is left alone"]


def test_where_no_agent_runs_and_nobody_knows_which_did_all_are_restarted_with_the_old_file(
    make: Callable[..., Run],
) -> None:
    dead = "ceilometer_agent_compute Exited (1) 2 minutes ago\n"
    shell = host("controller-0", 60, {STAMP: text(300)}, agents=dead)
    assert look(make(shell), 60, True).agent_names == ["ceilometer_agent_compute"]
    with pytest.raises(Refused, match="none of Ceilometer's agents that poll runs") as refused:
        look(make(shell), 60, False)
    assert "put_back" in str(refused.value)
    shell.on("podman ps", say="nova_compute Up 3 days\n")
    with pytest.raises(Refused, match="none of Ceilometer's agents that poll is there"):
        look(make(shell), 60, True)


def kolla_host(status: str = "Up 3 days", **kept: str) -> FakeShell:
    """A compute node of kolla-ansible with docker; what it has kept, by its stamp."""
    shell = kolla_container.host().on("list-units", say="").on("podman ps", say="")
    shell.on(".before-*", say="".join(f"{stamp}\n" for stamp in kept))
    for stamp, content in kept.items():
        path = f"{kolla_container.FOLDER}/polling.yaml.before-{stamp}"
        shell.on(READ, path, say=f"{path}\n{content}")
    return shell.on("docker ps", say=f"fluentd Up 3 days\nceilometer_compute {status}\nceilometer_central Up 3 days\n")


def test_kolla_ansible_s_container_is_changed_and_what_overwrites_it_is_told(make: Callable[..., Run]) -> None:
    job = look(make(kolla_host()), 60, False)
    assert_golden("set-telemetry-interval-kolla", plan(job))
    (lasting,) = [said for said in job.warnings if "reconfigure" in said]
    assert lasting.startswith(f"{kolla_container.FOLDER}/polling.yaml: the next `kolla-ansible reconfigure` writes it")


def test_kolla_ansible_s_container_that_died_of_the_new_file_gets_the_old_one_back(make: Callable[..., Run]) -> None:
    died = kolla_host("Restarting (1) 2 seconds ago", **{STAMP: kolla_container.TEXT})
    job = look(make(died), 60, True)
    assert job.agent_names == ["ceilometer_compute"]
    assert job.warnings == []
    with pytest.raises(Refused, match="none of Ceilometer's agents that poll runs"):
        look(make(died), 60, False)


def test_nothing_to_put_back_is_refused(make: Callable[..., Run]) -> None:
    with pytest.raises(Refused, match=r"no earlier .*/polling\.yaml is kept"):
        look(make(host("controller-0")), 60, True)
