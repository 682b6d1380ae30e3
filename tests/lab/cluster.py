"""The cluster over the controllers: its health, and SQL on it."""

import xml.etree.ElementTree as ElementTree

from tests.lab.machines import Machines
from tests.lab.settings import CONTROLLERS, HOSTS, PASSWORDS, UNDERCLOUD, VIP
from tests.lab.shell import wait_until

_CONTAINER = '$(podman container ls --format "{{.Names}}" --filter=name=galera-bundle)'


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
    """Returns whether a database answers on the undercloud through the VIP; a refused login is an answer, too."""
    options = f"[client]\nhost={VIP}\nuser=root\npassword={PASSWORDS['root']}\nconnect-timeout=3\n"
    client = ["mysql", "--defaults-file=/dev/stdin", "-NBe", "SELECT 1"]
    result = machines.exec(UNDERCLOUD, client, input=options, check=False, timeout=30)
    return result.stdout.strip() == "1" or "ERROR 1045" in result.stderr
