"""The cluster over the controllers: made once, asked often."""

import xml.etree.ElementTree as ElementTree

from tests.lab.machines import Machines, on_all
from tests.lab.settings import (
    CLUSTER_NAME,
    CONTROLLERS,
    GALERA_ADDRESS,
    GALERA_HOST_MAP,
    HOSTS,
    IMAGE_MARIADB,
    IMAGE_TAGS,
    PASSWORDS,
    UNDERCLOUD,
    VIP,
)
from tests.lab.shell import Progress, wait_until

_CONTAINER = '$(podman container ls --format "{{.Names}}" --filter=name=galera-bundle)'


def form(machines: Machines, progress: Progress) -> None:
    """Makes the cluster on controllers that have just been installed."""
    on_all(CONTROLLERS, lambda name: _start_pcsd(machines, name))
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
    )
    progress("galera-bundle, haproxy-bundle and VIP defined")


def stop(machines: Machines) -> None:
    """Stops the cluster cleanly, so that each node knows the last transaction that it has seen."""
    machines.exec(CONTROLLERS[0], "pcs cluster stop --all", timeout=300)


def _start_pcsd(machines: Machines, name: str) -> None:
    machines.exec(name, "chpasswd", input=f"hacluster:{PASSWORDS['hacluster']}\n")
    machines.exec(name, "systemctl enable --quiet --now pcsd")
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


def sql(machines: Machines, name: str, statement: str, timeout: float = 600) -> str:
    """Runs SQL as root through the socket in a controller's galera container; returns rows, columns parted by tabs."""
    client = f"podman exec -i {_CONTAINER} mysql --user=root --skip-column-names --batch"
    return machines.exec(name, client, input=statement, timeout=timeout).stdout


def wait_healthy(machines: Machines, timeout: float) -> None:
    """Waits until the cluster is as it should be.

    Raises:
        LabError: It is not, by the deadline; the message says what is missing.
    """
    wait_until("the cluster did not become healthy", lambda: missing(machines), timeout, interval=0.5)


def missing(machines: Machines) -> str:
    """Returns the first thing that keeps the cluster from being healthy, or an empty string."""
    on = machines.running()
    off = [name for name in HOSTS if name not in on]
    if off:
        return f"{', '.join(off)} off"
    status = machines.exec(CONTROLLERS[0], "crm_mon --as-xml --one-shot", check=False, timeout=60)
    if status.returncode != 0:
        return f"crm_mon: {status.stderr.strip() or status.stdout.strip()[-200:]}"
    promoted = promoted_nodes(status.stdout)
    if promoted != set(CONTROLLERS):
        return f"promoted on {', '.join(sorted(promoted)) or 'no node'}"
    for name in CONTROLLERS:
        if problem := _not_synced(machines, name):
            return problem
    return "" if vip_answers(machines) else f"no answer at {VIP}"


def promoted_nodes(status: str) -> set[str]:
    """Returns the names of the controllers with a promoted Galera, from what `crm_mon --as-xml` prints."""
    found = set()
    for replica in ElementTree.fromstring(status).iter("replica"):  # noqa: S314 - from the lab's own Pacemaker
        resources = {resource.get("id"): resource for resource in replica.iter("resource")}
        galera = resources.get("galera")
        if galera is None or galera.get("role") not in ("Promoted", "Master"):
            continue
        # The Galera resource runs on a guest node; the container next to it says on which host.
        for resource in resources.values():
            node = resource.find("node")
            if "podman" in (resource.get("resource_agent") or "") and node is not None:
                found.add(node.get("name") or "")
    return found


def _not_synced(machines: Machines, name: str) -> str:
    client = f"podman exec {_CONTAINER} mysql --user=root -NBe"
    statement = "SHOW STATUS WHERE Variable_name IN ('wsrep_cluster_size', 'wsrep_local_state_comment')"
    result = machines.exec(name, f'{client} "{statement}"', check=False, timeout=60)
    seen = dict(line.split("\t", 1) for line in result.stdout.splitlines() if "\t" in line)
    if seen == {"wsrep_cluster_size": str(len(CONTROLLERS)), "wsrep_local_state_comment": "Synced"}:
        return ""
    return f"{name}: {seen or result.stderr.strip()}"


def vip_answers(machines: Machines) -> bool:
    """Returns whether the database can be used from the undercloud through the VIP, as root."""
    options = f"[client]\nhost={VIP}\nuser=root\npassword={PASSWORDS['root']}\nconnect-timeout=3\n"
    client = ["mysql", "--defaults-file=/dev/stdin", "-NBe", "SELECT 1"]
    result = machines.exec(UNDERCLOUD, client, input=options, check=False, timeout=30)
    return result.stdout.strip() == "1"
