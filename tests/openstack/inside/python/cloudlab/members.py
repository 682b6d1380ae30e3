"""Nova servers as hosts in namespaces: their disks, cables and units."""

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

INSTANCES = Path("/var/lib/nova/instances")
FAULTS = Path("/run/faults")
# What one vCPU gets of a processor; the number comes with the disk.
VCPU_PERCENT = int(Path("/etc/vcpu-percent").read_text())
# The tree of cgroup v2, which counts without any controller; systemd leaves cpuacct of v1 alone. Where v1 is, it is
# mounted as one of the trees.
_TREES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))


def run(*words: str) -> str:
    """Runs a command and returns what it prints.

    Raises:
        RuntimeError: It failed; the message has its output.
    """
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit code {result.returncode}: {result.stderr or result.stdout}")
    return result.stdout


def cpu_seconds(uuid: str) -> float | None:
    """Returns how long a server's vCPUs have been busy, in vCPU seconds; None if it is off."""
    tree = next(path for path in _TREES if path.exists())
    usage = tree / "members.slice" / f"member@{uuid}.service" / "cpu.stat"
    if not usage.exists():
        return None
    statistics = dict(line.split() for line in usage.read_text().splitlines())
    return int(statistics["usage_usec"]) / 1e6 * 100 / VCPU_PERCENT


def write_disk(uuid: str, hostname: str, vcpus: int, key: str, user_data: str | None) -> None:
    """Writes what a server boots with.

    Args:
        uuid: The server's.
        hostname: Its name.
        vcpus: How many it has.
        key: The public key that lets one in.
        user_data: As Nova has it, in base64.
    """
    directory = INSTANCES / uuid
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "hostname").write_text(hostname)
    (directory / "vcpus").write_text(f"{vcpus}\n")
    (directory / "authorized_keys").write_text(key + "\n")
    if user_data:
        (directory / "user-data").write_bytes(base64.b64decode(user_data))


def plug(uuid: str, vifs: list[dict[str, Any]]) -> None:
    """Makes a server's network namespace, with a cable to the bridge of each port's network."""
    run("ip", "netns", "add", uuid)
    inside = ("ip", "-n", uuid)
    run(*inside, "link", "set", "lo", "up")
    for number, vif in enumerate(vifs):
        device = f"eth{number}"
        run("ip", "link", "add", vif["devname"], "type", "veth", "peer", "name", device, "netns", uuid,
            "address", vif["address"])  # fmt: skip
        bridge = vif["network"]["bridge"]
        # Neutron's agent leaves the cables of servers to Nova, and takes a bridge that it finds.
        if not Path("/sys/class/net", bridge).exists():
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "link", "set", bridge, "up")
        run("ip", "link", "set", vif["devname"], "master", bridge, "up")
        run(*inside, "link", "set", device, "up")
        for subnet in vif["network"]["subnets"]:
            _address(inside, device, subnet, first=number == 0)


def _address(inside: tuple[str, ...], device: str, subnet: dict[str, Any], first: bool) -> None:
    length = str(subnet["cidr"]).rsplit("/", 1)[1]
    for ip in subnet["ips"]:
        run(*inside, "address", "add", f"{ip['address']}/{length}", "dev", device)
    gateway = (subnet.get("gateway") or {}).get("address")
    if first and gateway:
        run(*inside, "route", "add", "default", "via", gateway)


def unplug(uuid: str, vifs: list[dict[str, Any]]) -> None:
    """Removes a server's cables and namespace, as far as they are there."""
    for vif in vifs:
        if Path("/sys/class/net", vif["devname"]).exists():
            run("ip", "link", "delete", vif["devname"])
    if Path("/run/netns", uuid).exists():
        run("ip", "netns", "delete", uuid)


def power_on(uuid: str, vcpus: int) -> None:
    """Boots a server."""
    unit = f"member@{uuid}.service"
    run("systemctl", "set-property", "--runtime", unit, f"CPUQuota={vcpus * VCPU_PERCENT}%")
    run("systemctl", "start", unit)


def power_off(uuid: str) -> None:
    """Ends everything that runs on a server."""
    run("systemctl", "stop", f"member@{uuid}.service")


def is_on(uuid: str) -> bool:
    """Tells whether a server runs."""
    answer = run("systemctl", "show", "--property", "ActiveState", "--value", f"member@{uuid}.service")
    return answer.strip() in ("active", "activating")


def console(uuid: str) -> str:
    """Returns what a server has said."""
    log = INSTANCES / uuid / "console.log"
    return log.read_text(errors="replace") if log.exists() else ""


def exists(uuid: str) -> bool:
    """Tells whether a server has a disk here."""
    return (INSTANCES / uuid).is_dir()


def remove(uuid: str) -> None:
    """Removes a server's disk."""
    if exists(uuid):
        shutil.rmtree(INSTANCES / uuid)
