"""Making the cluster over the controllers. A change here makes the cached disks void."""

from concurrent.futures import ThreadPoolExecutor

from tests.lab import undercloud
from tests.lab.machines import Machines, on_all
from tests.lab.releases import Release
from tests.lab.settings import (
    CLUSTER_NAME,
    CONTROLLERS,
    GALERA_ADDRESS,
    GALERA_HOST_MAP,
    HOSTS,
    IMAGE_MARIADB,
    IMAGE_TAGS,
    PASSWORDS,
    VIP,
)
from tests.lab.shell import Progress, wait_until


def form(machines: Machines, release: Release, progress: Progress) -> None:
    """Makes the cluster on controllers that have just been installed, and the undercloud's services beside it."""
    with ThreadPoolExecutor(1) as beside:
        installing = beside.submit(undercloud.install, machines)
        _form_cluster(machines, release, progress)
        installing.result()
    progress("the undercloud's database and services")


def _form_cluster(machines: Machines, release: Release, progress: Progress) -> None:
    on_all(CONTROLLERS, lambda name: _start_pcsd(machines, name, release.pcsd_units))
    progress("pcsd on the controllers")
    members = " ".join(f"{name} addr={HOSTS[name].address}" for name in CONTROLLERS)
    first = CONTROLLERS[0]
    # pcs asks for the password on standard input, so it does not appear in the process list.
    machines.exec(first, f"pcs host auth -u hacluster {members}", input=PASSWORDS["hacluster"] + "\n")
    # A token of 5 s: two processors for all hosts can be late with the default of 3 s.
    machines.exec(first, f"pcs cluster setup {CLUSTER_NAME} {members} totem token=5000 --start --enable --wait=90")
    progress("Pacemaker on the controllers")
    on_all(CONTROLLERS, lambda name: _configure(machines, name))
    progress("configuration and first databases")
    machines.script(
        first,
        "bundles.sh",
        vip=VIP,
        cluster_address=GALERA_ADDRESS,
        host_map=GALERA_HOST_MAP,
        mysql_image=IMAGE_TAGS[0],
        haproxy_image=IMAGE_TAGS[1],
        promoted_max=release.promoted_max,
        promoted=release.promoted,
        unpromoted=release.unpromoted,
    )
    progress("galera-bundle, haproxy-bundle and VIP defined")


def stop(machines: Machines) -> None:
    """Stops the databases cleanly, so that each node knows the last transaction that it has seen."""
    machines.exec(CONTROLLERS[0], "pcs cluster stop --all", timeout=300)
    undercloud.stop(machines)


def _start_pcsd(machines: Machines, name: str, units: tuple[str, ...]) -> None:
    machines.exec(name, "chpasswd", input=f"hacluster:{PASSWORDS['hacluster']}\n")
    machines.exec(name, f"systemctl enable --quiet --now {' '.join(units)}")
    answers = "curl --silent --insecure --output /dev/null https://127.0.0.1:2224/"
    wait_until(
        f"pcsd did not answer on {name}",
        lambda: "" if machines.exec(name, answers, check=False).returncode == 0 else "no answer on port 2224",
        timeout=60,
    )


def _configure(machines: Machines, name: str) -> None:
    machines.script(
        name,
        "controller.sh",
        name=name,
        address=HOSTS[name].address,
        vip=VIP,
        root_password=PASSWORDS["root"],
        clustercheck_password=PASSWORDS["clustercheck"],
        cluster_address=GALERA_ADDRESS,
        image=IMAGE_MARIADB,
    )
