"""Hosts of the lab with Ceilometer's agents, and a Prefect server that knows them as a site."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.lab import Lab, files
from tests.lab.settings import HOSTS
from tests.server.fixtures import PrefectServer
from tests.telemetry.containers import Container, container_host
from tests.telemetry.hosts import Layout
from tests.telemetry.kolla import KollaContainer, kolla_host
from tests.telemetry.samples import PIPELINE, PIPELINE_60, POLLING, POLLING_60
from tests.telemetry.units import Unit, unit_host

# Role → the lab's hosts that have it here.
ROLES = {
    "Compute": ("backup", "undercloud"),
    "OSP8": ("controller-1", "controller-2"),
    "KollaCompute": ("controller-0",),
}


@dataclass
class Site:
    """The site, and the runbook on it."""

    server: PrefectServer

    def completes(self, **parameters: Any) -> str:
        """Run the runbook to its end, and return what it wrote."""
        return self._run(0, parameters)

    def refuses(self, **parameters: Any) -> str:
        """The same where it is to refuse."""
        return self._run(1, parameters)

    def _run(self, code: int, parameters: dict[str, Any]) -> str:
        wanted = json.dumps(["set-telemetry-interval", {"site": "telemetry", **parameters}])
        done = self.server.run("-m", "tests.autoscaling.run", stdin=f"{wanted}\n", timeout_s=300)
        output = done.stdout + done.stderr
        assert done.returncode == code, output[-3000:]
        return output


@pytest.fixture(scope="session")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    groups = {
        role: {"hosts": {name: {"ansible_host": HOSTS[name].address} for name in names}}
        for role, names in ROLES.items()
    }
    (folder / "inventory.yaml").write_text(yaml.safe_dump(files.inventory() | groups))
    text = lab.site.read_text().replace('name = "lab"', 'name = "telemetry"')
    file = folder / "telemetry.toml"
    file.write_text(re.sub("(?m)^inventory = .*", 'inventory = "inventory.yaml"', text))
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    try:
        applied = server.run("-m", "deployments", "apply", "--site", str(file))
        assert applied.returncode == 0, applied.stdout + applied.stderr
        yield Site(server)
    finally:
        server.stop()


@contextmanager
def laid_out(layout: Layout) -> Iterator[Layout]:
    """Lay the hosts out, and take all of it away afterwards."""
    try:
        for host in layout.hosts:
            host.make(layout.old)
        yield layout
    finally:
        for host in layout.hosts:
            host.remove()


@pytest.fixture(scope="session")
def tripleo(lab: Lab) -> Iterator[Layout]:
    """Containers, some of them with TripleO's unit around them."""
    first, second = ROLES["Compute"]
    hosts = (
        container_host(
            lab,
            first,
            Container("ceilometer_agent_compute", restarted=True, unit=True),
            Container("nova_compute", restarted=False),
        ),
        container_host(
            lab,
            second,
            Container("ceilometer_agent_compute", restarted=True),
            Container("ceilometer_agent_central", restarted=True, alone=True),
            Container("ceilometer_agent_notification", restarted=False, unit=True),
        ),
    )
    with laid_out(Layout("Compute", hosts, POLLING, POLLING_60)) as layout:
        yield layout


@pytest.fixture(scope="session")
def osp_8(lab: Lab) -> Iterator[Layout]:
    """Units on a compute node and on a controller."""
    compute, controller = ROLES["OSP8"]
    hosts = (
        unit_host(lab, compute, Unit("openstack-ceilometer-compute", restarted=True)),
        unit_host(
            lab,
            controller,
            Unit("openstack-ceilometer-central", restarted=True),
            Unit("openstack-ceilometer-notification", restarted=True),
            Unit("openstack-ceilometer-collector", restarted=False),
        ),
    )
    with laid_out(Layout("OSP8", hosts, PIPELINE, PIPELINE_60)) as layout:
        yield layout


@pytest.fixture(
    scope="session", params=[pytest.param(True, marks=pytest.mark.exhaustive), False], ids=["units", "no units"]
)
def kolla(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Layout]:
    """kolla-ansible's containers on a compute node, with units as since 2023.1, and without."""
    (compute,) = ROLES["KollaCompute"]
    host = kolla_host(
        lab,
        compute,
        KollaContainer("ceilometer_compute", restarted=True, unit=request.param),
        KollaContainer("ceilometer_central", restarted=False, unit=request.param),
    )
    with laid_out(Layout("KollaCompute", (host,), POLLING, POLLING_60)) as layout:
        yield layout
