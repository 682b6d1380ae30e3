"""A job of restore-galera with fixed facts: three controllers, and a password that would show; and what preflight asks for."""

from blocks.remote.shell import Shell
from flows.restore_galera import procedure
from tasks.database.access import Account
from tasks.database.dump_parts import Part, Parts
from tasks.database.grants import Grants
from tasks.database.mariadb import Server, Version
from tasks.engine.plan import plan_of
from tasks.runbooks.restore_galera.job import NAME, Bounds, Ending, Facts, Job, Request
from tasks.runbooks.restore_galera.resume import Resume
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import DUMP_TEXT, GRANTS_TEXT, give_file
from tests.unit.tasks.samples import HOSTS, KEPT, SITE, journal

VIP, PASSWORD = "172.16.2.99", "Tr0ub4dor&3"
NODES = "gcomm://controller-0.internalapi,controller-1.internalapi,controller-2.internalapi"
DUMP, GRANTS = "/home/heat-admin/openstack_database.sql", "/home/heat-admin/grants.sql"
BOUNDS = Bounds(start_s=300, load_s=14400, join_s=1800, adopt_s=60, promote_s=600)


V10_3 = Version(10, 3)


def facts(*, roles: tuple[str, ...] = (), version: Version = V10_3) -> Facts:
    """What preflight finds on a healthy control plane."""
    return Facts(
        vip=VIP,
        password=PASSWORD,
        version=version,
        bundle="galera-bundle",
        pid_file="/var/run/mysql/mysqld.pid",
        cluster_address=NODES,
        servers={
            name: Server(f"galera-bundle-podman-{number}", "/var/lib/mysql", "/root/.my.cnf", NAME)
            for number, name in enumerate(HOSTS)
        },
        checks=dict.fromkeys(HOSTS, "clustercheck"),
        labelled=frozenset(HOSTS),
        parts=Parts(1400, (Part(1400, 7000), Part(8400, 250000)), Part(258400, 900)),
        grants=Grants((Account("nova", "%"), Account("root", "localhost")), (), roles),
        contents="0123456789ab",
    )


def job(
    ending: Ending = "adopt",
    found: Facts | None = None,
    controllers: int = 3,
    clients_in: bool = False,
    rebuild: bool = False,
) -> Job:
    """A job on the first so many controllers."""
    hosts: list[Shell] = [FakeShell(name) for name in HOSTS[:controllers]]
    resume = Resume(journal(), (), rebuild, KEPT, clients_in=clients_in)
    return Job(hosts, SITE.database, Request(DUMP, GRANTS, ending, BOUNDS), found or facts(), resume)


def give_files(first: FakeShell, dump: str = DUMP_TEXT) -> None:
    """What the first controller has, and preflight asks for."""
    first.on("hiera", "mysql_vip", say=f"{VIP}\n").on("hiera", "root_password", say=f"{PASSWORD}\n")
    first.on("--version", say="mysqld  Ver 10.3.28-MariaDB for Linux\n").on("cibadmin", "instance_attributes", say="")
    for asked in ("podman exec", ".Mounts"):  # while the container runs, and while it does not
        first.on(asked, "cat", "galera.cnf", say=f"[mysqld]\nwsrep_cluster_address = {NODES}\n")
    give_file(first, DUMP, dump)
    give_file(first, GRANTS, GRANTS_TEXT + "GRANT ALL ON *.* TO 'root'@'localhost';\n")


# The steps' numbers in the order in which they are taken.
ORDER = plan_of(procedure, job()).numbers
