"""The machine, its BMC, and the lab's undercloud and backup node; a Prefect server that knows them as a site."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from deployments.project import PROJECT
from tests.bare_metal.bmc import Emulator
from tests.bare_metal.hypervisor import NAME, Disk, Hypervisor
from tests.bare_metal.rootfs import MACHINE_PACKAGES, make_disk, root_tar
from tests.lab import Lab, files
from tests.lab.base import install_packages
from tests.lab.paths import Paths
from tests.lab.settings import BRIDGE, CONTROLLERS
from tests.lab.shell import run, wait_until
from tests.rear.layer import layer, unpack
from tests.restore_galera.cloud import Cloud, Ended
from tests.server.fixtures import PrefectServer
from tests.unit.tasks.crm import Replica, in_cib, pacemaker_2_1

ADDRESS, STORE_ADDRESS, STORE = "192.168.24.30", "192.168.24.20", "/srv/images"
_TAP = "rbmetal0"
_ISOS_PORT = 8000
_BOOTS_WITHIN_S = 600
_KEY = "/home/stack/.ssh/id_ed25519"
# A BMC reads ISOs by HTTP.
_SERVE_ISOS = (
    f"systemd-run --unit=lab-isos python3 -m http.server {_ISOS_PORT} --bind {STORE_ADDRESS} --directory {STORE}/images"
)
# The machine has no cluster: what restore-node asks of Pacemaker is answered as by a healthy one.
_STAND_IN = """
cat >/usr/local/lib/{program}.xml
printf '#!/bin/sh\\nexec cat /usr/local/lib/{program}.xml\\n' >/usr/local/sbin/{program}
chmod 755 /usr/local/sbin/{program}
"""
# On a disk beside it, which no restore may touch.
_FOREIGN = """
pvcreate --quiet /dev/vdb
vgcreate --quiet foreign /dev/vdb
lvcreate --quiet --yes --name data --size 400M foreign
mkfs.xfs -q /dev/foreign/data
mount /dev/foreign/data /mnt
head --bytes=1000000 /dev/urandom >/mnt/others
umount /mnt
vgchange --quiet --activate n foreign
"""
# What must be as before: contents, owners and modes, attributes and ACLs, file systems, host keys, the config drive.
_FINGERPRINT = """
sha256sum /srv/marker /etc/ssh/ssh_host_ed25519_key /etc/fstab
blkid -p -s UUID -s LABEL -s TYPE /dev/vda2
sha256sum </dev/vda1
cd /var/lib/ceph
find . -printf '%p %m %u %g\\n' | sort
find . -type f -exec sha256sum {} + | sort
getfattr --absolute-names --recursive --dump /var/lib/ceph
getfacl --absolute-names --recursive /var/lib/ceph
"""


@dataclass
class Metal:
    """All of it.

    Attributes:
        lab: The lab, whose controllers are off.
        server: The Prefect server.
        hypervisor: The machine's power.
        bmc: Its BMC.
        folder: For disks and the site file.
    """

    lab: Lab
    server: PrefectServer
    hypervisor: Hypervisor
    bmc: Emulator
    folder: Path

    @classmethod
    @contextmanager
    def made(cls, lab: Lab, server: PrefectServer, folder: Path) -> Iterator[Metal]:
        """Start the machine with a new disk, and tell the server of it.

        Args:
            lab: The lab, which is up; its controllers are switched off.
            server: The server, without a site.
            folder: An existing directory.
        """
        install_packages(lab.progress, MACHINE_PACKAGES)
        cache = Paths.default("bare-metal").cache
        lab.machines.kill(CONTROLLERS)
        built = layer(lab)
        for host in ("undercloud", "backup"):
            unpack(lab, built, host, ansible=host == "undercloud")
        with ExitStack() as stack:
            stack.enter_context(_cable())
            hypervisor = stack.enter_context(Hypervisor.started(folder / "libvirt", _TAP))
            bmc = stack.enter_context(Emulator.started(hypervisor, folder / "bmc", cache))
            metal = cls(lab, server, hypervisor, bmc, folder)
            metal._introduce()
            make_disk(metal.disk.path, root_tar(cache), folder / "given")
            metal.apply()
            yield metal

    @property
    def disk(self) -> Disk:
        """The disk that the machine has at first."""
        return Disk(self.folder / "first.raw", "METAL0-FIRST")

    @property
    def beside(self) -> Disk:
        """A disk of the same size that belongs to somebody else."""
        return Disk(self.folder / "beside.raw", "METAL0-BESIDE")

    @property
    def replaced(self) -> Disk:
        """The disk that it gets in place of the first."""
        return Disk(self.folder / "replaced.raw", "METAL0-REPLACED")

    def _introduce(self) -> None:
        """Make the machine's host key, and let the hosts know each other."""
        given = self.folder / "given"
        given.mkdir()
        key = given / "ssh_host_ed25519_key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", key])
        shutil.copy(f"{self.lab.key}.pub", given / "authorized_keys")
        kind, public, _ = Path(f"{key}.pub").read_text().split(maxsplit=2)
        known = f"{ADDRESS},{NAME} {kind} {public}\n"
        hosts = f"{ADDRESS} {NAME}.localdomain {NAME}\n"
        (given / "hosts").write_text(self.lab.exec("undercloud", "cat /etc/hosts").stdout + hosts)
        (self.folder / "known_hosts").write_text(self.lab.known_hosts.read_text() + known)
        for host in ("undercloud", "backup"):
            self.lab.exec(host, "cat >>/etc/hosts", input=hosts)
            self.lab.exec(host, "cat >>/etc/ssh/ssh_known_hosts", input=known)
        self.lab.exec("undercloud", f"ssh-keygen -y -f {_KEY} >{_KEY}.pub")
        self.lab.exec("backup", "useradd --create-home --shell /usr/sbin/nologin rear")
        self.lab.exec("backup", f"mkdir -p {STORE}/images && {_SERVE_ISOS}")

    def apply(self) -> None:
        """Tell the server of the site: the machine is its only Controller."""
        inventory = files.inventory()
        groups: dict[str, dict[str, object]] = inventory  # type: ignore[assignment]
        groups["Controller"]["hosts"] = {NAME: {"ansible_host": ADDRESS, "canonical_hostname": f"{NAME}.localdomain"}}
        written = self.folder / "inventory.yaml"
        written.write_text(yaml.safe_dump(inventory, sort_keys=False))
        site = self.lab.site.read_text()
        site = site.replace(str(self.lab.inventory), str(written))
        site = site.replace(str(self.lab.known_hosts), str(self.folder / "known_hosts"))
        site += f"""
[store]
kind = "sftp"
host = "{STORE_ADDRESS}"
path = "{STORE}"

[rear]
ansible_key = "{_KEY}"
iso_url = "http://{STORE_ADDRESS}:{_ISOS_PORT}"

[rear.variables]
tripleo_backup_and_restore_rear_packages = ["rear", "lftp"]

{self.bmc.section(NAME)}"""
        file = self.folder / "lab.toml"
        file.write_text(site)
        applied = self.server.run("-m", "deployments", "apply", "--site", str(file))
        assert applied.returncode == 0, applied.stdout + applied.stderr

    def boot(self) -> None:
        """Switch the machine on with its first disk and one beside it, and put there what must come back or stay."""
        run(["truncate", "--size", "3G", self.beside.path])
        self.hypervisor.define(self.disk, self.beside)
        self.hypervisor.power_on()
        wait_until(f"{NAME} did not let heat-admin in", self.answers, timeout=_BOOTS_WITHIN_S, interval=2)
        self.exec(_FOREIGN)
        for program, said in (("crm_mon", pacemaker_2_1([Replica()])), ("cibadmin", in_cib())):
            self.exec(_STAND_IN.format(program=program), input=said)

    def answers(self) -> str:
        """What ssh says instead of letting somebody in."""
        done = self._ssh("true")
        return "" if done.returncode == 0 else done.stderr.strip() or "no answer"

    def exec(self, command: str, **more: str) -> str:
        """Run a command as root on the machine, over ssh at its pinned host key, and return what it prints."""
        words = "sudo bash -o errexit -c '" + command.replace("'", "'\\''") + "'"
        done = self._ssh(words, **more)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def _ssh(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        options = [
            f'UserKnownHostsFile="{self.folder / "known_hosts"}"',
            *("GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes"),
            "ConnectTimeout=10",
        ]
        words = [word for option in options for word in ("-o", option)]
        ssh: list[str | Path] = ["ssh", "-F", "none", "-i", self.lab.key, *words, f"heat-admin@{ADDRESS}", command]
        return run(ssh, check=False, timeout=600, **more)

    def fingerprint(self) -> str:
        """What must be as before."""
        return self.exec(_FINGERPRINT)

    def replace_disk(self) -> None:
        """Cut the power, and put an empty disk in the first one's place."""
        self.hypervisor.cut_power()
        run(["truncate", "--size", "3G", self.replaced.path])
        self.hypervisor.define(self.replaced, self.beside)

    def run(self, module: str, runbook: str, *kill: str, **parameters: object) -> Ended:
        """Run a runbook in a process of its own.

        Args:
            module: Whose program it is: `tests.backups.run RUNBOOK`, or `tests.bare_metal.image_node`.
            runbook: Its name; empty where the program has but one.
            kill: `--kill-after STEP` or `--kill-during STEP`.
            parameters: The runbook's, but the site.
        """
        words = ["-m", module, *([runbook] if runbook else []), json.dumps({"site": "lab"} | parameters), *kill]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, *words],
            cwd=PROJECT,
            env=self.server.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3600,
        )
        ended = Ended(done.returncode, done.stdout, time.monotonic() - started)
        (self.folder / f"{runbook or 'image'}-{started:.0f}.log").write_text(ended.output)
        if ended.killed:
            Cloud(self.lab, self.server).mark_crashed()
        return ended


@contextmanager
def _cable() -> Iterator[None]:
    """The machine's cable to the lab's bridge."""
    run(["ip", "link", "delete", _TAP], check=False)
    run(["ip", "tuntap", "add", _TAP, "mode", "tap"])
    try:
        run(["ip", "link", "set", _TAP, "master", BRIDGE, "up"])
        yield
    finally:
        run(["ip", "link", "delete", _TAP], check=False)
