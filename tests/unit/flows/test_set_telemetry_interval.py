"""set-telemetry-interval on fake hosts: preflight's list, the plan, what is done twice, cut short, put back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blocks.remote.errors import Refused
from flows.set_telemetry_interval import procedure
from tasks.plan import Plan
from tasks.runbook import Runbook
from tasks.telemetry.job import Job, preflight
from tests.unit.fakes import FakeShell
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.samples import HOSTS, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")

PATH = "/var/lib/config-data/puppet-generated/ceilometer/etc/ceilometer/polling.yaml"
READ = 'printf "%s\\n" "$f"; cat "$f"'
KEPT = f"{PATH}.before-20261121T123456Z"


def text(interval: int) -> str:
    return f"sources:\n  - name: pollsters\n    interval: {interval}\n    meters: [cpu]\n"


def host(name: str, interval: int = 300, kept: str = "", agents: str = "ceilometer_agent_compute\n") -> FakeShell:
    """A compute node that polls every so many seconds."""
    shell = FakeShell(name, otherwise="")
    shell.on(READ, say=f"{PATH}\n{text(interval)}")
    shell.on(".before-*", say=f"{kept}\n" if kept else "")
    return shell.on("list-units", say="").on("podman ps", say=agents)


@pytest.fixture
def make() -> Callable[..., Runbook]:
    def make(*shells: FakeShell) -> Runbook:
        hosts = [SITE.host(name) for name in HOSTS[: len(shells)]]
        by_name = {shell.name: shell for shell in shells}
        return Runbook("set-telemetry-interval", SITE, hosts, False, journal(), dict(by_name))

    return make


def plan(job: Job) -> Plan:
    made = Plan()
    procedure(made, job)
    return made


def test_the_plan_is_the_golden_one(make: Callable[..., Runbook]) -> None:
    job = preflight(make(*(host(name) for name in HOSTS)), 60, False)
    assert_golden("set-telemetry-interval", plan(job))
    assert job.kept["controller-0"] == KEPT
    assert "every 60 s instead of 300 s" in job.summary
    assert "not for production" in job.warnings[0]


def test_only_what_reads_the_file_is_restarted_one_host_after_the_other(make: Callable[..., Runbook]) -> None:
    both = "ceilometer_agent_compute\nceilometer_agent_central\nceilometer_agent_notification\nnova_api\n"
    job = preflight(make(host("controller-0", agents=both), host("controller-1")), 60, False)
    steps = [(step.number, step.sentence, step.hosts, step.one_at_a_time) for step in plan(job).steps[1:]]
    assert steps == [
        ("5.1", "Restart ceilometer_agent_central", ("controller-0",), True),
        ("5.2", "Restart ceilometer_agent_compute", ("controller-0", "controller-1"), True),
    ]


def test_the_notification_agent_is_restarted_where_it_reads_the_same_file(make: Callable[..., Runbook]) -> None:
    units = "".join(
        f"openstack-ceilometer-{kind}.service loaded active running -\n" for kind in ("central", "notification")
    )
    shell = host("controller-0", agents="").on("list-units", say=units)
    shell.on(READ, say=f"/etc/ceilometer/pipeline.yaml\n{text(600)}")
    assert preflight(make(shell), 60, False).agent_names == units.replace(" loaded active running -", "").split()


def test_where_every_host_has_the_interval_nothing_is_restarted(make: Callable[..., Runbook]) -> None:
    job = preflight(make(host("controller-0", 60)), 60, False)
    assert job.nothing_to_do
    assert plan(job).steps[-1].note.startswith("left out: every host has this interval")


def test_after_an_attempt_that_was_cut_short_the_agents_are_restarted_all_the_same(
    make: Callable[..., Runbook],
) -> None:
    shell = host("controller-0", 60)
    shell.on("*.json", say=journal(runbook="set-telemetry-interval", begun="4").model_dump_json() + "\n")
    job = preflight(make(shell), 60, False)
    assert not job.nothing_to_do
    assert (job.journal.attempts, job.journal.begun) == (2, "4")
    assert plan(job).steps[-1].sentence == "Restart ceilometer_agent_compute"


def test_everything_that_is_wrong_is_told_at_once(make: Callable[..., Runbook]) -> None:
    broken, idle, none = (host(name) for name in HOSTS)
    broken.on('cat "$f"', say=f"{PATH}\nsources: [\n")
    idle.on("podman ps", say="nova_compute\n")
    none.on('cat "$f"', say=4)
    with pytest.raises(Refused) as refused:
        preflight(make(broken, idle, none), 60, False)
    said = sorted(refused.value.reasons)
    assert [reason.split(":")[0] for reason in said] == list(HOSTS)
    assert "is no YAML" in said[0]
    assert "none of Ceilometer's agents that poll runs" in said[1]
    assert f"has no {PATH}" in said[2]


def test_a_host_s_own_file_that_its_containers_never_read_is_not_taken_for_theirs(make: Callable[..., Runbook]) -> None:
    shell = host("controller-0").on(READ, say=4)
    shell.on(READ, " /etc/ceilometer/polling.yaml", say=f"/etc/ceilometer/polling.yaml\n{text(300)}")
    with pytest.raises(Refused, match="ManagePolling"):
        preflight(make(shell), 60, False)


def test_the_file_that_was_kept_last_is_put_back(make: Callable[..., Runbook]) -> None:
    job = preflight(make(host("controller-0", 60, kept=f"{PATH}.before-20251121T000000Z\n{KEPT}")), 60, True)
    assert job.kept == {"controller-0": KEPT}
    assert f"mv -fT -- {KEPT} {PATH}" in plan(job).text()


def test_what_an_attempt_that_was_cut_short_has_put_back_is_no_reason_to_refuse(make: Callable[..., Runbook]) -> None:
    shell = host("controller-0")
    earlier = journal(runbook="set-telemetry-interval", begun="4", kept={"old file of controller-0": KEPT})
    shell.on("*.json", say=earlier.model_dump_json() + "\n")
    assert preflight(make(shell), 60, True).kept == {"controller-0": KEPT}


def test_nothing_to_put_back_is_refused(make: Callable[..., Runbook]) -> None:
    with pytest.raises(Refused, match=r"no earlier .*/polling\.yaml is kept"):
        preflight(make(host("controller-0")), 60, True)


def test_a_role_without_hosts_is_refused(make: Callable[..., Runbook]) -> None:
    with pytest.raises(Refused, match="the role has no host"):
        preflight(make(), 60, False)
