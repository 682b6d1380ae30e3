"""Machines of libvirt's, whose processor QEMU emulates: no machine that the tests run on need have one to spare."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.lab.shell import CommandError, run, wait_until

_HERE = Path(__file__).resolve().parent
# Ends with this process, even if that is killed.
CONTAINED = ("setpriv", "--pdeathsig", "KILL")
NAME = "metal-0"
UUID = "6f9c0000-0000-4000-8000-000000000030"
_POOL = "<pool type='dir'><name>default</name><target><path>{path}</path></target></pool>"
# The network's device is the third, so that it is called ens3.
_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>2048</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><tcg><tb-cache unit='MiB'>1024</tb-cache></tcg></features>
  <cpu mode='maximum'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    {disks}
    <interface type='ethernet'>
      <mac address='52:54:00:00:00:30'/>
      <target dev='{tap}' managed='no'/>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </interface>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='none'/>
    <serial type='file'><source path='{console}' append='on'/></serial>
  </devices>
</domain>
"""
_DISK = """
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='unsafe'/>
      <source file='{path}'/>
      <target dev='vd{letter}' bus='virtio'/>
      <serial>{serial}</serial>
    </disk>
"""


@dataclass(frozen=True)
class Disk:
    """A disk of a machine's.

    Attributes:
        path: Its content.
        serial: Its serial number.
    """

    path: Path
    serial: str


class Hypervisor:
    """libvirt, with all of its files in a folder.

    Args:
        folder: The folder.
        tap: The end of the machine's cable, which is there.
    """

    def __init__(self, folder: Path, tap: str) -> None:
        self.folder = folder
        self.console = folder / "console.log"
        self._tap = tap

    @classmethod
    @contextmanager
    def started(cls, folder: Path, tap: str) -> Iterator[Hypervisor]:
        """Start libvirtd; it ends, and the machine with it, when the block does."""
        hypervisor = cls(folder, tap)
        folder.mkdir(parents=True)
        words: list[str | Path] = [*CONTAINED, "unshare", "--mount", "bash", _HERE / "hypervisor.sh", folder]
        with (folder / "libvirtd.log").open("w") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("libvirt does not answer", hypervisor._answers, timeout=60)
            hypervisor._make_pool()
            yield hypervisor
        finally:
            hypervisor.cut_power()
            process.terminate()
            process.wait(30)

    @property
    def uri(self) -> str:
        """Where libvirt is asked."""
        return f"qemu:///system?socket={quote(str(self.folder / 'libvirt-sock'))}"

    def virsh(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of virsh."""
        return run(["virsh", "--quiet", "--connect", self.uri, *words], check=check, timeout=120)

    def _answers(self) -> str:
        done = self.virsh("version", check=False)
        return "" if done.returncode == 0 else done.stderr.strip()

    def _make_pool(self) -> None:
        """Where the ISOs are that a BMC has fetched."""
        pool = self.folder / "pool"
        pool.mkdir()
        file = self.folder / "pool.xml"
        file.write_text(_POOL.format(path=pool))
        self.virsh("pool-define", file)
        self.virsh("pool-start", "default")

    def define(self, *disks: Disk) -> None:
        """Define the machine, which is off, with these disks."""
        self.cut_power()
        self.virsh("undefine", NAME, check=False)
        shown = "".join(
            _DISK.format(path=disk.path, letter=letter, serial=disk.serial)
            for letter, disk in zip("abc", disks, strict=False)
        )
        file = self.folder / "machine.xml"
        file.write_text(_DOMAIN.format(name=NAME, uuid=UUID, disks=shown, tap=self._tap, console=self.console))
        self.virsh("define", file)

    def power_on(self) -> None:
        """Switch the machine on."""
        self.virsh("start", NAME)

    def cut_power(self) -> None:
        """Cut the machine's power, where it is on."""
        try:
            self.virsh("destroy", NAME, check=False)
        except CommandError:
            return

    @property
    def state(self) -> str:
        """`running` or `shut off`."""
        return self.virsh("domstate", NAME).stdout.strip()
