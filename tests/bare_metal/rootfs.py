"""The node's root file system and its disk: Debian with a kernel of its own, ReaR, podman, and a config drive beside it."""

from __future__ import annotations

from pathlib import Path

from tests.bare_metal.hypervisor import CONTAINED
from tests.lab.base import digest, unfinished
from tests.lab.shell import run

_HERE = Path(__file__).resolve().parent
MACHINE_PACKAGES = (
    *("qemu-system-x86", "libvirt-daemon", "libvirt-daemon-driver-qemu", "libvirt-clients", "python3-libvirt"),
    *("mmdebstrap", "xorriso", "xfsprogs", "fdisk", "openssl"),
)
_PACKAGES = ",".join(
    (
        "systemd-sysv,udev,dbus,libpam-systemd,kmod,iproute2,iputils-ping,iptables,ifupdown,openssh-server,openssh-client",
        "sudo,python3,python3-apt,linux-image-cloud-amd64,initramfs-tools,zstd,grub-pc,grub-pc-bin,grub2-common",
        "rear,genisoimage,xorriso,isolinux,syslinux,syslinux-common,mtools,cpio,cron,sshfs,lftp,ca-certificates,procps",
        "psmisc,file,lvm2,xfsprogs,dosfstools,fdisk,parted,gdisk,attr,acl,hiera,podman,hostname,less,tar,gzip",
    )
)
_LEFT_OUT = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")]


def root_tar(cache: Path) -> Path:
    """Return an archive of the root file system, after building it where it is not in the cache."""
    made = cache / f"node-{digest([_PACKAGES, *_LEFT_OUT])}.tar"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        building = unfinished(made).with_suffix(".tar")
        contained = [*CONTAINED, "unshare", "--mount-proc", "--pid", "--fork", "--kill-child"]
        options = ["--mode=root", "--variant=minbase", *_LEFT_OUT, f"--include={_PACKAGES}"]
        run([*contained, "mmdebstrap", *options, "bookworm", building], what="mmdebstrap of the node")
        building.rename(made)
    return made


def make_disk(disk: Path, tar: Path, given: Path) -> None:
    """Make a disk that boots.

    Args:
        disk: The file.
        tar: The root file system.
        given: A directory with host key, authorized_keys and hosts.
    """
    run(["unshare", "--mount", "bash", _HERE / "prepare-disk.sh", disk, tar, given], what="make the node's disk")
