"""The layouts of TripleO, kolla-ansible and OSP 8: what reads the file is restarted and has read it; all else goes on as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.telemetry.conftest import Site
from tests.telemetry.containers import HOST_FILE, POLLING_FILE
from tests.telemetry.hosts import AgentHost, Layout, Seen
from tests.telemetry.kolla import POLLING_FILE as KOLLA_POLLING_FILE
from tests.telemetry.kolla import config_json


def assert_set(host: AgentHost, before: Seen, now: Seen, layout: Layout) -> None:
    """One interval has changed, the old file lies beside the new one, and only what reads it is another process."""
    assert (now.file, now.owned) == (layout.new, before.owned)
    assert list(now.beside.values()) == [(layout.old, before.owned)]
    assert_restarted(host, before, now)


def assert_put_back(host: AgentHost, before: Seen, now: Seen, layout: Layout) -> None:
    """The file is what it was before all, nothing lies beside it, and what reads it is another process once more."""
    assert (now.file, now.owned, now.beside) == (layout.old, before.owned, {})
    assert_restarted(host, before, now)


def assert_restarted(host: AgentHost, before: Seen, now: Seen) -> None:
    for agent in host.agents:
        restarted = now.processes[agent.name] != before.processes[agent.name]
        assert restarted == agent.restarted, agent.name
        assert now.read[agent.name] == (now.file if agent.restarted else before.read[agent.name]), agent.name


def set_and_put_back(site: Site, layout: Layout) -> str:
    """Set the interval, set it once more, and put the old one back; return what the first run wrote."""
    before = layout.look()
    said = site.completes(role=layout.role, interval_s=60)
    now = layout.look()
    for host, was, is_ in zip(layout.hosts, before, now, strict=True):
        assert_set(host, was, is_, layout)
    again = site.completes(role=layout.role, interval_s=60)
    assert "CPU is polled every 60 s on" in again
    assert layout.look() == now
    site.completes(role=layout.role, put_back=True)
    for host, was, is_ in zip(layout.hosts, now, layout.look(), strict=True):
        assert_put_back(host, was, is_, layout)
    return said


def test_containers_that_poll_read_the_new_interval_and_the_others_go_on(site: Site, tripleo: Layout) -> None:
    set_and_put_back(site, tripleo)
    assert [host.sh(f"cat {HOST_FILE}") for host in tripleo.hosts] == [tripleo.old] * 2


@pytest.mark.exhaustive
def test_units_of_osp_8_read_the_new_pipeline_and_the_collector_goes_on(site: Site, osp_8: Layout) -> None:
    set_and_put_back(site, osp_8)


@pytest.mark.exhaustive
def test_an_agent_that_dies_of_the_new_file_is_named_and_put_back_with_the_old_one(site: Site, osp_8: Layout) -> None:
    before = osp_8.look()
    failed = site.refuses(role=osp_8.role, interval_s=13)
    assert "unit openstack-ceilometer-central.service never became 'running for 5 s'" in failed
    assert "put_back" in failed
    compute, controller = osp_8.hosts
    # The next agents are not taken down, too.
    assert [agent.process(compute) for agent in compute.agents] == list(before[0].processes.values())
    assert controller.sh("systemctl is-active openstack-ceilometer-notification") == "active\n"
    site.completes(role=osp_8.role, put_back=True)
    for host, was, is_ in zip(osp_8.hosts, before, osp_8.look(), strict=True):
        assert_put_back(host, was, is_, osp_8)


@pytest.mark.exhaustive
def test_what_somebody_has_written_since_is_not_thrown_away(site: Site, tripleo: Layout) -> None:
    site.completes(role=tripleo.role, interval_s=60)
    changed, other = tripleo.hosts
    changed.sh(f"echo '# other meters' >> {POLLING_FILE}")
    refused = site.refuses(role=tripleo.role, put_back=True)
    assert f"{changed.name}: {POLLING_FILE} has changed in more than its interval" in refused
    assert f"{other.name}: " not in refused
    changed.sh(f"sed -i '$d' {POLLING_FILE}")
    site.completes(role=tripleo.role, put_back=True)
    assert [host.sh(f"cat {POLLING_FILE}") for host in tripleo.hosts] == [tripleo.old] * 2


def test_containers_that_read_the_file_of_their_image_are_refused(site: Site, tripleo: Layout) -> None:
    before = tripleo.look()
    managed, unmanaged = tripleo.hosts
    unmanaged.sh(f"mv {POLLING_FILE} /root")
    try:
        refused = site.refuses(role=tripleo.role, interval_s=60)
    finally:
        unmanaged.sh(f"mv /root/polling.yaml {POLLING_FILE}")
    assert f"{unmanaged.name}: has no {POLLING_FILE}" in refused
    assert "ManagePolling" in refused
    assert f"{managed.name}: has no" not in refused
    assert tripleo.look() == before


def test_kolla_ansible_s_container_that_polls_cpu_reads_the_new_interval_and_the_others_go_on(
    site: Site, kolla: Layout
) -> None:
    said = set_and_put_back(site, kolla)
    assert f"{KOLLA_POLLING_FILE}: the next `kolla-ansible reconfigure` writes it anew" in said
    (host,) = kolla.hosts
    assert [host.sh(f"cat {path}") for path in host.decoys] == [kolla.old] * len(host.decoys)


def test_a_file_that_kolla_s_start_does_not_copy_is_refused(site: Site, kolla: Layout) -> None:
    before = kolla.look()
    (host,) = kolla.hosts
    config = str(Path(KOLLA_POLLING_FILE).with_name("config.json"))
    host.write(config, config_json("ceilometer.conf"))
    try:
        refused = site.refuses(role=kolla.role, interval_s=60)
    finally:
        host.write(config, config_json("ceilometer.conf", "polling.yaml"))
    assert f"{config} copies nothing to /etc/ceilometer/polling.yaml" in refused
    assert kolla.look() == before
