"""Making the cloud on a controller that has just been installed. A change here makes the cached disk void."""

from shlex import quote

from tests.lab.shell import Progress, wait_until
from tests.openstack import config, health, identities, resources
from tests.openstack.access import connect
from tests.openstack.base import INSIDE
from tests.openstack.machine import Machine
from tests.openstack.services import KEYSTONE, UNITS
from tests.openstack.settings import ADMIN_CLOUD, CLOUD, REGION, password

_READY_SECONDS = 600


def form(machine: Machine, progress: Progress) -> None:
    """Makes databases, accounts and the resources that tests find ready, and leaves every service running."""
    variables = {
        "databases": " ".join(config.DATABASES),
        "database_password": password("database"),
        "admin_password": password("admin"),
        "keystone_url": KEYSTONE.url,
        "region": REGION,
    }
    head = "".join(f"{name}={quote(value)}\n" for name, value in variables.items())
    # On standard input, since some are passwords; in a function, so that bash has read all of it before it begins.
    script = (INSIDE / "first-boot.sh").read_text()
    machine.exec(["bash", "-s"], input=f"{head}main() {{\n{script}\n}}\nmain < /dev/null\n", timeout=600)
    progress("databases")
    machine.exec(["systemctl", "start", "keystone"])
    wait_until("Keystone did not answer", health.closed_ports_of("keystone"), timeout=60)
    with connect(machine.paths, ADMIN_CLOUD) as admin:
        identities.create(admin)
    progress("accounts and catalogue")
    start(machine)
    wait_until("the services did not start", health.closed_ports, _READY_SECONDS)
    progress("services")
    machine.exec(["ceilometer-upgrade"])
    with connect(machine.paths, ADMIN_CLOUD) as admin, connect(machine.paths, CLOUD) as project:
        wait_until("Nova's services did not come up", lambda: health.compute(admin), _READY_SECONDS, interval=1)
        machine.exec(["nova-manage", "cell_v2", "discover_hosts"])
        resources.create(admin, project, machine.paths.key.with_suffix(".pub").read_text())
    progress("flavor, image, networks, key pair, archive policy")


def start(machine: Machine) -> None:
    """Starts every service; they wait for each other."""
    machine.exec(["systemctl", "start", "--no-block", "openstack.target"])


def stop(machine: Machine) -> None:
    """Stops the services in order, so that the databases are whole on the disk."""
    infrastructure = ["mariadb", "rabbitmq-server"]
    machine.exec(["systemctl", "stop", *(unit for unit in UNITS if unit not in infrastructure)])
    machine.exec(["systemctl", "stop", *infrastructure])
    machine.exec(["sync"])
