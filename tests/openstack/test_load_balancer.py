"""The load balancer answers, and Octavia knows which of its members do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tasks.openstack.named import find_named
from tests.lab.shell import wait_until
from tests.openstack import Cloud
from tests.openstack.servers import attach, page, server, wait_for_page


class Balancer:
    """A load balancer with a health monitor and a floating address."""

    def __init__(self, project: Any, undo: ExitStack) -> None:
        self._octavia = octavia = project.load_balancer
        self._subnet = project.network.find_subnet("private", ignore_missing=False).id
        self.balancer = octavia.create_load_balancer(name="balancer", vip_subnet_id=self._subnet)
        undo.callback(self._delete)
        self._wait()
        listener = octavia.create_listener(load_balancer_id=self.balancer.id, protocol="HTTP", protocol_port=80)
        self._wait()
        self._pool = octavia.create_pool(listener_id=listener.id, protocol="HTTP", lb_algorithm="ROUND_ROBIN").id
        self._wait()
        octavia.create_health_monitor(
            pool_id=self._pool, type="HTTP", url_path="/hostname.php", delay=1, timeout=1, max_retries=2
        )
        self._wait()
        floating = attach(project, self.balancer.vip_port_id)
        undo.callback(project.network.delete_ip, floating)
        self.url = f"http://{floating.floating_ip_address}/hostname.php"

    def add(self, address: str, port: int) -> str:
        made: str = self._octavia.create_member(
            self._pool, address=address, protocol_port=port, subnet_id=self._subnet
        ).id
        self._wait()
        return made

    def remove(self, member: str) -> None:
        self._octavia.delete_member(member, self._pool)
        self._wait()

    def members(self) -> dict[str, str]:
        return {member.id: member.operating_status for member in self._octavia.members(self._pool)}

    def status(self) -> str:
        status: str = self._octavia.get_load_balancer(self.balancer.id).operating_status
        return status

    def wait_for(self, what: Callable[[], object], wanted: object) -> None:
        wait_until(f"never {wanted}", lambda: "" if what() == wanted else str(what()), timeout=30)

    def _wait(self) -> None:
        self._octavia.wait_for_load_balancer(self.balancer.id, interval=0.3, wait=60)

    def _delete(self) -> None:
        self._octavia.delete_load_balancer(self.balancer.id, cascade=True)
        self.wait_for(lambda: find_named(self._octavia.find_load_balancer, self.balancer.id), None)


@pytest.fixture
def balancer(project: Any) -> Iterator[Balancer]:
    with ExitStack() as undo:
        yield Balancer(project, undo)


def test_only_members_that_serve_get_requests(cloud: Cloud, project: Any, balancer: Balancer) -> None:
    with server(cloud, project, "web-1") as first, server(cloud, project, "web-2") as second:
        good = balancer.add(first.fixed, 80)
        balancer.wait_for(balancer.members, {good: "ONLINE"})
        wait_for_page(balancer.url)
        bad = balancer.add(second.fixed, 81)
        balancer.wait_for(balancer.members, {good: "ONLINE", bad: "ERROR"})
        balancer.wait_for(balancer.status, "DEGRADED")
        assert {page(balancer.url) for _ in range(10)} == {"Hello, My name is web-1"}

        balancer.remove(bad)
        also = balancer.add(second.fixed, 80)
        balancer.wait_for(balancer.members, {good: "ONLINE", also: "ONLINE"})
        assert {page(balancer.url) for _ in range(10)} == {"Hello, My name is web-1", "Hello, My name is web-2"}

        balancer.remove(good)
        assert {page(balancer.url) for _ in range(10)} == {"Hello, My name is web-2"}
        balancer.wait_for(balancer.status, "ONLINE")
