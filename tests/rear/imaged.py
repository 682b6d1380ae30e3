"""The lab with Ansible and ReaR, a Prefect server that knows it, and the runbooks on both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deployments.project import PROJECT
from tests.lab import Lab
from tests.lab.settings import CONTROLLERS
from tests.rear import services
from tests.rear.layer import layer, unpack
from tests.restore_galera.cloud import Cloud, Ended
from tests.server.fixtures import PrefectServer

STORE = "/srv/images"
KEY = "/home/stack/.ssh/id_ed25519"
_REAR = f"""
[rear]
ansible_key = "{KEY}"

[rear.variables]
tripleo_backup_and_restore_rear_packages = ["rear", "lftp"]
tripleo_backup_and_restore_nfs_packages = ["nfs-kernel-server"]
"""
# The kernel has no NFS: the unit stands for its server, `exportfs` is the real one, and something listens at the port.
_NFS_SERVER = """
systemctl disable --now nfs-blkmap rpcbind rpcbind.socket 2>/dev/null || :
printf '%s\\n' [Service] Type=oneshot RemainAfterExit=yes 'ExecStart=-/usr/sbin/exportfs -r' \
  'ExecReload=-/usr/sbin/exportfs -r' [Install] WantedBy=multi-user.target > /etc/systemd/system/nfs-server.service
printf '%s\\n' [Service] 'ExecStart=/usr/bin/socat TCP-LISTEN:2049,fork,reuseaddr EXEC:true' \
  > /etc/systemd/system/lab-nfs-port.service
systemctl daemon-reload
systemctl start lab-nfs-port.service
"""
# ReaR archives /etc alone: what is looked at is what happens around it. And it is told what it can't find out on a host that has
# no kernel, no disk and no console of its own.
_SITE_CONF = """
BACKUP_ONLY_INCLUDE=yes
BACKUP_PROG_INCLUDE=( '/etc/*' )
KERNEL_FILE=/usr/local/lib/kernel
MODULES=( no_modules )
modprobe() { :; }
BOOTLOADER=GRUB
USE_SERIAL_CONSOLE=no
"""


@dataclass
class Imaged:
    """The lab, the server, and the site file that it knows.

    Attributes:
        lab: The lab.
        server: The server.
        site_file: The lab's site file, with a store.
    """

    lab: Lab
    server: PrefectServer
    site_file: Path

    @classmethod
    @contextmanager
    def made(cls, lab: Lab, server: PrefectServer, folder: Path) -> Iterator[Self]:
        """Give the lab's hosts Ansible and ReaR; what is on the store goes afterwards.

        Args:
            lab: The lab.
            server: The server, without a site.
            folder: For the site file.
        """
        built = layer(lab)
        for name in ("undercloud", *CONTROLLERS, "backup"):
            unpack(lab, built, name, ansible=name == "undercloud")
        imaged = cls(lab, server, folder / "lab.toml")
        imaged._prepare()
        try:
            yield imaged
        finally:
            lab.exec("backup", ["rm", "-rf", STORE])

    @contextmanager
    def ready(self, cleanup_after_s: int = 600) -> Iterator[None]:
        """Set up ReaR by SFTP, and start containers with health checks; within the block images can be made.

        Args:
            cleanup_after_s: For how long the hosts wait for a sign of a run.
        """
        self.apply("sftp", cleanup_after_s)
        for runbook in ("prepare-backup-node", "install-rear"):
            ended = self.run(runbook)
            assert ended.code == 0, ended.output[-4000:]
        for name in CONTROLLERS:
            self.lab.exec(name, "head -c 1000000 /dev/urandom > /usr/local/lib/kernel")
            self.lab.exec(name, "cat > /etc/rear/site.conf", input=_SITE_CONF)
        services.start(self.lab)
        try:
            yield
        finally:
            services.stop(self.lab)
            for name in CONTROLLERS:
                self.lab.exec(name, "rm -f /etc/rear/site.conf /usr/local/lib/kernel")

    def _prepare(self) -> None:
        """Have what a deployment has: the public half of Ansible's key, an NFS server's unit, an account for images."""
        self.lab.exec("undercloud", f"ssh-keygen -y -f {KEY} > {KEY}.pub")
        self.lab.exec("backup", _NFS_SERVER)
        self.lab.exec("backup", "id rear >/dev/null 2>&1 || useradd --create-home --shell /usr/sbin/nologin rear")
        for name in (*CONTROLLERS, "undercloud"):
            self.lab.exec(name, "command -v hiera rear")

    def apply(self, kind: str = "nfs", cleanup_after_s: int = 600) -> None:
        """Make the server know the site with a store of this kind, whose hosts wait so long for a sign of a run."""
        store = f'[store]\nkind = "{kind}"\nhost = "192.168.24.20"\npath = "{STORE}"\n'
        self.site_file.write_text(f"cleanup_after_s = {cleanup_after_s}\n{self.lab.site.read_text()}\n{store}{_REAR}")
        applied = self.server.run("-m", "deployments", "apply", "--site", str(self.site_file))
        assert applied.returncode == 0, applied.stdout + applied.stderr

    def run(self, runbook: str, *kill: str, **parameters: object) -> Ended:
        """Run a runbook in a process of its own.

        Args:
            runbook: Its name.
            kill: `--kill-after STEP` or `--kill-during STEP`.
            parameters: The runbook's, but the site.
        """
        words = ["-m", "tests.backups.run", runbook, json.dumps({"site": "lab"} | parameters), *kill]
        done = subprocess.run(
            [sys.executable, *words],
            cwd=PROJECT,
            env=self.server.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        ended = Ended(done.returncode, done.stdout, 0)
        if ended.killed:
            Cloud(self.lab, self.server).mark_crashed()
        return ended

    def text(self, host: str, command: str) -> str:
        """What a command prints on a host."""
        return self.lab.exec(host, command).stdout.strip()

    def reads(self, host: str, what: str) -> str:
        """What ReaR reads on a host, by an expression of bash's, as its main script evaluates its files."""
        read = 'VAR_DIR=/var/lib/rear HOSTNAME=$(hostname -s); for f in local rescue; do . "/etc/rear/$f.conf"; done'
        return self.text(host, f'{read}; echo "{what}"')
