"""A site whose nodes are set up for ReaR: hosts that run the runbooks' scripts for real, in a folder for each, and a role.

The role is a stand-in for the vendor's, which writes what that writes (tripleo-ansible, stable/train): local.conf from its
template, and /etc/exports by a block in it.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from blocks.rear import RearSettings
from blocks.remote.command import Command
from blocks.remote.shell import Result, Shell
from blocks.site import Site
from blocks.store import BackupStore
from tasks.engine.run import Run, TakeUp
from tests.site_files import PUBLIC_KEY
from tests.unit.fakes import FakeShell
from tests.unit.tasks.samples import SITE, journal

CONTROLLERS = ("controller-0", "controller-1", "controller-2")
ADDRESSES = {name: f"192.168.24.{11 + number}" for number, name in enumerate(CONTROLLERS)}
BACKUP_NODE, UNDERCLOUD = "192.168.24.100", "192.168.24.1"
FOLDER = "/ctl_plane_backups"
ANSIBLE_KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB stack@undercloud"
NODE_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 openstack-runbooks-rear@"
ASK_ANSIBLE = "env LC_ALL=C.UTF-8 ansible-playbook --version"
RUN = "11111111-0000-4000-8000-000000000000"
# A directory of the host's that the scripts work in, and that is a folder of the test instead.
_IN_FOLDER = re.compile(
    r"(?:^|(?<=[\"@]))/(?:etc|usr/share/rear|var/lib/openstack-runbooks|home|ctl_plane_backups)(?=/|\b)"
)

LOCAL_CONF = """\
OUTPUT_URL={output_url}
ISO_PREFIX={host}
BACKUP_PROG_OPTIONS+=( --anchored --xattrs-include='*.*' --xattrs )
BACKUP_PROG_EXCLUDE=( '/data/*' '/tmp/*' '/ctl_plane_backups/*' )
BACKUP_URL={backup_url}
ISO_DEFAULT="automatic"
USING_UEFI_BOOTLOADER=0
OUTPUT=ISO
BACKUP=NETFS
BACKUP_PROG_COMPRESS_OPTIONS=( --gzip)
BACKUP_PROG_COMPRESS_SUFFIX=".gz"
"""
RESCUE_CONF = "BACKUP_PROG_OPTIONS+=( --anchored --xattrs-include='*.*' --xattrs )\n"
# Programs of a host that the test's machine has not, or that need root.
_PROGRAMS = {
    "chown": "exit 0",
    "hostname": "cat {root}/etc/hostname",
    "id": "echo 1000",
    "getent": "echo $2:x:1000:1000::/home/$2:/bin/bash | sed s,/home,{root}/home,",
    "systemctl": "echo systemctl $* >>{root}/calls",
    "crontab": """
case ${@: -1} in -l) exec cat {root}/crontab ;; -) exec cat >{root}/crontab ;; *) exec cp "${@: -1}" {root}/crontab ;; esac""",
    "exportfs": "sed -n 's/^\\(\\/[^ ]*\\) \\([^ (]*\\)/\\1  \\2/p' {root}/etc/exports",
}
# `install` with an owner needs root; the folders are the test's own.
_INSTALL = """\
words=()
while [ $# -gt 0 ]; do
  case $1 in -o | -g) shift ;; *) words+=("$1") ;; esac
  shift
done
exec /usr/bin/install "${words[@]}"
"""


class FolderShell(FakeShell):
    """A host whose /etc, /home and store are folders of the test: what touches them is run for real, all else is answered.

    Attributes:
        root: The folder.
    """

    def __init__(self, name: str, root: Path) -> None:
        super().__init__(name, otherwise=self._run_if_here)
        self.root = root
        for each in ("etc/rear", "etc/cron.d", "home", "bin"):
            (root / each).mkdir(parents=True)
        (root / "etc/hostname").write_text(f"{name}\n")
        for program, text in _PROGRAMS.items():
            self._program(program, text.replace("{root}", str(root)))
        self._program("install", _INSTALL)
        self.on("exportfs", say=self.run_here).on("crontab", say=self.run_here)

    def _run_if_here(self, command: Command) -> Result:
        line = " ".join(command.words)
        assert any(map(_IN_FOLDER.search, command.words)), f"nobody said what {self.name} answers to: {line}"
        return self.run_here(command)

    def _program(self, name: str, text: str) -> None:
        file = self.root / "bin" / name
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)

    def run_here(self, command: Command) -> Result:
        """Run a command on this machine, in the host's folder."""
        words = [_IN_FOLDER.sub(lambda found: f"{self.root}{found[0]}", word) for word in command.words]
        done = subprocess.run(
            words,
            input=command.stdin or "",
            capture_output=True,
            text=True,
            timeout=20,
            env={"LC_ALL": "C", "PATH": f"{self.root / 'bin'}:/usr/bin:/bin"},
        )
        return Result(done.stdout.replace(str(self.root), ""), done.stderr, done.returncode)

    def path(self, name: str) -> Path:
        """Where a file of the host lies on this machine."""
        return self.root / name.lstrip("/")


def ansible_output(recaps: dict[str, str], fatal: str = "") -> str:
    """What ansible-playbook -v prints, shortened."""
    rows = "".join(f"{host:<26} : {counts}\n" for host, counts in recaps.items())
    return f"""\
Using /etc/ansible/ansible.cfg as config file

PLAY [Install ReaR] ************************************************************

TASK [Gathering Facts] *********************************************************
ok: [{next(iter(recaps), "localhost")}]
{fatal}
PLAY RECAP *********************************************************************
{rows}
"""


GOOD = "ok=14   changed=3    unreachable=0    failed=0    skipped=2    rescued=0    ignored=0   "


@dataclass
class World:
    """The site, its hosts, and what the role does.

    Attributes:
        folder: Of the test.
        kind: How images travel.
        rear: Settings of the section [rear].
        shells: Its hosts.
        role_runs: How often the role was run.
        role: What it does to the hosts beside its output; a test may give another one.
        output: What Ansible says.
    """

    folder: Path
    kind: str = "nfs"
    rear: dict[str, object] = field(default_factory=dict)
    shells: dict[str, FolderShell] = field(default_factory=dict)
    role_runs: int = 0
    role: Callable[[], None] = lambda: None
    output: str = ""
    log: str = ""

    def __post_init__(self) -> None:
        for name in ("undercloud", *CONTROLLERS, "backup-node"):
            self.shells[name] = FolderShell(name, self.folder / name)
        (self.folder / "known_hosts").write_text(
            "".join(f"{each} {PUBLIC_KEY}\n" for each in (UNDERCLOUD, BACKUP_NODE, *ADDRESSES.values()))
        )
        self.role = self.set_up_rear
        self._prepare_undercloud(self.shells["undercloud"])
        for name in CONTROLLERS:
            self._prepare_node(self.shells[name])
        self._prepare_backup_node(self.shells["backup-node"])

    @property
    def nodes(self) -> list[FolderShell]:
        return [self.shells[name] for name in CONTROLLERS]

    @property
    def undercloud(self) -> FolderShell:
        return self.shells["undercloud"]

    @property
    def backup_node(self) -> FolderShell:
        return self.shells["backup-node"]

    def _prepare_undercloud(self, shell: FolderShell) -> None:
        self._prepare_node(shell)
        (shell.root / "crontab").write_text("")
        shell.on("ansible-playbook --version", say=f"{ASK_ANSIBLE}: ansible-playbook 2.9.27\n")
        shell.on("/usr/share/ansible/roles", say="backup-and-restore\n")
        shell.on("test", "-r", "id_rsa", say="").on("cat", "id_rsa.pub", say=ANSIBLE_KEY)
        shell.on("ssh -n", say=lambda command: "".join(f"{word.split()[0]}\tok\n" for word in command.words[11:]))
        shell.on("systemctl", "show", "openstack-runbooks-ansible", say=lambda _: self._state())
        shell.on("systemd-run", say=self._run_role).on("systemctl stop", say=self._forget)
        shell.on("tail -c", say=lambda _: self.log).on("tail -c +", say=lambda _: self.log)

    def _prepare_node(self, shell: FolderShell) -> None:
        shell.on("rear --version", say="rear --version: Relax-and-Recover 2.4 / Git\n").on("/dev/tcp/", say="")
        shell.on("test", "-d", "/var/lib/ceph/mon", say=1)
        shell.on("ovs-vsctl", say="").on("test", "-d", "/sys/firmware/efi", say=1).on("sshfs", say="")
        shell.on("ssh-keygen", say=lambda _: self._make_key(shell)).on("sftp -q", say="Remote working directory: /\n")

    def _prepare_backup_node(self, shell: FolderShell) -> None:
        (shell.root / "etc/exports").write_text("")
        shell.on("firewall-cmd", say="").on("sudo", "test", "-w", say="").on("getent", "passwd", say=shell.run_here)

    def _make_key(self, shell: FolderShell) -> str:
        folder = shell.root / "etc/rear/openstack-runbooks"
        folder.mkdir(exist_ok=True)
        (folder / "id_ed25519").write_text("private")
        (folder / "id_ed25519.pub").write_text(f"{NODE_KEY}{shell.name}\n")
        return ""

    # -- the unit that runs Ansible

    _state_text = "LoadState=not-found\nActiveState=inactive\n"

    def _state(self) -> str:
        return f"{self._state_text}LogSize={len(self.log)}\n"

    def _run_role(self, command: Command) -> str:
        self.role_runs += 1
        self.log = self.output or ansible_output(dict.fromkeys(self._hosts(), GOOD))
        code = int("failed=1" in self.log or "unreachable=1" in self.log) * 2
        result = "exit-code" if code else "success"
        self._state_text = (
            f"LoadState=loaded\nActiveState=active\nSubState=exited\nResult={result}\nExecMainStatus={code}\n"
        )
        if not code:
            self.role()
        return ""

    def _forget(self, _: Command) -> str:
        self._state_text = World._state_text
        return ""

    def _hosts(self) -> list[str]:
        """Whom the playbook is for, as the inventory that was written says."""
        (file,) = self.undercloud.root.glob("var/lib/openstack-runbooks/ansible/*/inventory.yaml")
        return re.findall(r"^ {8}([\w-]+):$", file.read_text(), re.MULTILINE)

    def variables(self) -> dict[str, str]:
        """The role's variables that were written."""
        (file,) = self.undercloud.root.glob("var/lib/openstack-runbooks/ansible/*/variables.json")
        found: dict[str, str] = json.loads(file.read_text())
        return found

    def set_up_rear(self) -> None:
        """What the role does on the nodes."""
        urls = {name: self.variables()[f"tripleo_backup_and_restore_{name}"] for name in ("output_url", "backup_url")}
        for host in self._hosts():
            folder = self.shells[host].root / "etc/rear"
            if (folder / "local.conf").exists():
                (folder / "local.conf").rename(folder / "local.conf.4711.2026-11-27@12:00:00~")
            (folder / "local.conf").write_text(LOCAL_CONF.format(host=host, **urls))
            (folder / "rescue.conf").write_text(RESCUE_CONF)
            for each in folder.iterdir():
                each.chmod(0o644 if each.is_file() else 0o700)

    def export(self) -> None:
        """What the role does on the backup node: its block takes the place of any other with Ansible's usual marks."""
        exports, folder = self.backup_node.root / "etc/exports", self.backup_node.root / "ctl_plane_backups"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        begin, end = "# BEGIN ANSIBLE MANAGED BLOCK", "# END ANSIBLE MANAGED BLOCK"
        rest = re.sub(f"{begin}\n.*{end}\n", "", exports.read_text(), flags=re.DOTALL)
        networks = self.rear.get("nfs_clients", ["192.168.24.0/24"])
        assert isinstance(networks, list)
        lines = "".join(f"{FOLDER} {each}(rw,sync,no_root_squash,no_subtree_check)\n" for each in networks)
        exports.write_text(f"{rest}{begin}\n{lines}{end}\n")

    # -- a run

    def site(self) -> Site:
        hosts = {"undercloud": UNDERCLOUD, **ADDRESSES, "backup-node": BACKUP_NODE}
        store = BackupStore.model_validate({"kind": self.kind, "host": BACKUP_NODE, "path": FOLDER})
        return SITE.model_copy(
            update={
                "hosts": hosts,
                "roles": {"mysql": list(CONTROLLERS), "Controller": list(CONTROLLERS), "Compute": []},
                "undercloud": "undercloud",
                "backup_node": "backup-node",
                "store": store,
                "ssh": SITE.ssh.model_copy(update={"known_hosts": self.folder / "known_hosts"}),
                "rear": RearSettings.model_validate(self.rear),
            }
        )

    def open(self, runbook: str, names: tuple[str, ...]) -> Run:
        """A run on some hosts."""
        shells: dict[str, Shell] = {name: self.shells[name] for name in names}
        return Run(runbook, self.site(), shells, False, journal(runbook=runbook, run_id=RUN))

    def take(self, run: Run, look: Callable[[Run], object], procedure: Callable[..., None]) -> Run:
        """Look and take the steps, as a run does."""
        job = look(run)
        run.begin(TakeUp(run.journal), RUN)
        procedure(run, job)
        run.finish()
        return run


def outcomes(run: Run) -> list[tuple[str, str]]:
    """Number and outcome of each step, once for all hosts that came to the same."""
    return list(dict.fromkeys((record.number, record.outcome) for record in run.journal.records))
