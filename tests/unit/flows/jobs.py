"""A job of restore-galera with fixed facts: three controllers, and a password that would show."""

from blocks.site import Host
from tasks.database.dump_parts import Part, Parts
from tasks.database.dumps import Account, Grants
from tasks.database.mariadb import Server, Version
from tasks.runbooks.restore_galera.job import Bounds, Ending, Job
from tasks.runbooks.restore_galera.preflight import Facts
from tests.unit.tasks.samples import HOSTS, KEPT, SITE

VIP, PASSWORD = "172.16.2.99", "Tr0ub4dor&3"
NODES = "gcomm://controller-0.internalapi,controller-1.internalapi,controller-2.internalapi"
DUMP, GRANTS = "/home/heat-admin/openstack_database.sql", "/home/heat-admin/grants.sql"
BOUNDS = Bounds(start_s=300, load_s=14400, join_s=1800, adopt_s=60, promote_s=600)


V10_3 = Version(10, 3)


def facts(*, rebuild: bool = False, roles: tuple[str, ...] = (), version: Version = V10_3) -> Facts:
    """What preflight finds on a healthy control plane."""
    return Facts(
        vip=VIP,
        password=PASSWORD,
        version=version,
        bundle="galera-bundle",
        pid_file="/var/run/mysql/mysqld.pid",
        cluster_address=NODES,
        servers={
            name: Server(f"galera-bundle-podman-{number}", "/var/lib/mysql", "/root/.my.cnf")
            for number, name in enumerate(HOSTS)
        },
        checks=dict.fromkeys(HOSTS, "clustercheck"),
        labelled=frozenset(HOSTS),
        kept=KEPT,
        parts=Parts(1400, (Part(1400, 7000), Part(8400, 250000)), Part(258400, 900)),
        grants=Grants((Account("nova", "%"), Account("root", "localhost")), (), roles),
        rebuild=rebuild,
    )


def job(ending: Ending = "adopt", found: Facts | None = None, controllers: int = 3, clients_in: bool = False) -> Job:
    """A job on the first so many controllers."""
    hosts: list[Host] = [SITE.host(name) for name in HOSTS[:controllers]]
    return Job(hosts, SITE.database, found or facts(), DUMP, GRANTS, ending, BOUNDS, clients_in)
