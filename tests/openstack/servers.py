"""Servers of Nova's for a test: made, reached, removed."""

import base64
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.lab.shell import wait_until
from tests.openstack.cloud import Cloud
from tests.openstack.machine import ssh
from tests.openstack.settings import FLAVOR, IMAGE, KEYPAIR

# What the document's web servers are given, word for word but for its parameters.
WEB_SERVER = """\
#!/bin/bash -v

yum -y install httpd php
systemctl enable httpd
systemctl start httpd
cat <<EOF > /var/www/html/hostname.php
<?php echo "Hello, My name is " . php_uname('n'); ?>
EOF
"""
_BEGIN, _END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


@dataclass(frozen=True)
class Server:
    """A server with a floating address."""

    cloud: Cloud
    project: Any
    id: str
    name: str
    fixed: str
    address: str

    def ssh(self, command: str, folder: Path, user: str = "debian") -> subprocess.CompletedProcess[str]:
        """Runs a command on the server; its host key is the one that its console shows."""
        known_hosts = folder / f"known_hosts-{self.id}"
        console = self.project.compute.get_server_console_output(self.id)["output"]
        keys = console.partition(_BEGIN)[2].partition(_END)[0].split("\n")
        known_hosts.write_text("".join(f"{self.address} {key}\n" for key in keys if key.strip()))
        return ssh(f"{user}@{self.address}", command, key=self.cloud.key, known_hosts=known_hosts)

    def page(self, path: str) -> str:
        """Returns a page that it serves."""
        return page(f"http://{self.address}/{path}")


def page(url: str) -> str:
    """Returns a page.

    Raises:
        OSError: Nothing answers, or it answers with an error.
    """
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http
        text: str = answer.read().decode()
    return text


def wait_for_page(url: str, timeout: float = 30) -> str:
    """Returns a page as soon as there is one."""

    def look() -> str:
        try:
            page(url)
        except OSError as error:
            return str(error)
        return ""

    wait_until(f"{url} did not answer", look, timeout)
    return page(url)


@contextmanager
def server(cloud: Cloud, project: Any, name: str, user_data: str = WEB_SERVER) -> Iterator[Server]:
    """Makes a server with a floating address, and removes both afterwards."""
    made = create(project, name, user_data)
    try:
        made = project.compute.wait_for_server(made, interval=0.3, wait=60)
        port = next(project.network.ports(device_id=made.id))
        floating = attach(project, port.id)
        try:
            fixed = port.fixed_ips[0]["ip_address"]
            yield Server(cloud, project, made.id, name, fixed, floating.floating_ip_address)
        finally:
            project.network.delete_ip(floating)
    finally:
        project.compute.delete_server(made)
        project.compute.wait_for_delete(made, interval=0.3, wait=60)


def create(project: Any, name: str, user_data: str = WEB_SERVER) -> Any:
    """Asks Nova for a server."""
    return project.compute.create_server(
        name=name,
        image_id=project.image.find_image(IMAGE, ignore_missing=False).id,
        flavor_id=project.compute.find_flavor(FLAVOR, ignore_missing=False).id,
        networks=[{"uuid": project.network.find_network("private", ignore_missing=False).id}],
        key_name=KEYPAIR,
        user_data=base64.b64encode(user_data.encode()).decode(),
    )


def attach(project: Any, port: str) -> Any:
    """Gives a port a floating address."""
    public = project.network.find_network("public", ignore_missing=False).id
    return project.network.create_ip(floating_network_id=public, port_id=port)


def cpu(project: Any, server_id: str, granularity: int) -> list[tuple[str, float]]:
    """Returns the mean difference between two samples of a server's CPU time, for each span of time."""
    gnocchi = project.session.get_endpoint(service_type="metric")
    answer = project.session.get(
        f"{gnocchi}/v1/resource/instance/{server_id}/metric/cpu/measures",
        params={"aggregation": "rate:mean", "granularity": granularity},
        raise_exc=False,
    )
    # Ceilometer makes the resource with the first sample.
    return [(when, value) for when, _, value in answer.json()] if answer.status_code == HTTPStatus.OK else []
