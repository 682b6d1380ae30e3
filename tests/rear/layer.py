"""What the lab's hosts need besides: Ansible and the role on the undercloud, ReaR on the nodes, an NFS server on the backup host.

It is built once, as a layer over what all hosts have, and unpacked on hosts that run: they have no way to a mirror.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab import Lab
from tests.lab.base import digest, discard, unfinished
from tests.lab.processes import enter
from tests.lab.shell import SCRIPTS, run

_HERE = Path(__file__).resolve().parent
PACKAGES = (
    *(
        "ansible",
        "python3-apt",
        "rear",
        "lftp",
        "sshfs",
        "xorriso",
        "isolinux",
        "syslinux-common",
        "mtools",
        "genisoimage",
    ),
    *("cpio", "file", "parted", "nfs-kernel-server"),
)
# The newest that PyPI has: the role as it was when TripleO ended.
ROLE = "tripleo-ansible==6.0.0"
_ROLES = "usr/share/ansible/roles"
# Four fifths of the layer, and of use where Ansible runs alone.
_ANSIBLE_ALONE = (
    "./usr/lib/python3/dist-packages/ansible_collections",
    "./usr/lib/python3/dist-packages/ansible",
    f"./{_ROLES}",
)


def layer(lab: Lab) -> Path:
    """Returns the layer, after building it where it is not in the cache."""
    script = _HERE / "install-packages.sh"
    cache = lab.paths.cache
    base = lab.base()
    made = cache / f"rear-{digest([script, base.path.name, *PACKAGES, ROLE])}"
    if made.exists():
        return made / "layer"
    building = unfinished(made)
    building.mkdir()
    overlay: list[str | Path] = ["unshare", "--mount", "bash", SCRIPTS / "in-overlay.sh"]
    run([*overlay, base.lower, building / "layer", building / "root", script, *PACKAGES], what="Ansible and ReaR")
    discard(building / "root", building / "layer.work")
    _unpack_role(building)
    # What the packages have taken away is a device of the overlay's in the layer: it stays on the host.
    listed = run(["find", building / "layer", "-mindepth", "1", "!", "-type", "c", "-printf", "./%P\\n"]).stdout
    (building / "files").write_text(listed)
    building.rename(made)
    return made / "layer"


def _unpack_role(building: Path) -> None:
    wheel = building / "wheel"
    run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheel, ROLE])
    (file,) = wheel.glob("*.whl")
    run([sys.executable, "-m", "zipfile", "-e", file, wheel / "unpacked"])
    (role,) = wheel.glob("unpacked/*/data/share/ansible/roles/backup_and_restore")
    roles = building / "layer" / _ROLES
    roles.mkdir(parents=True, exist_ok=True)
    run(["cp", "-r", role, roles])
    discard(wheel)


def unpack(lab: Lab, made: Path, host: str, ansible: bool) -> None:
    """Unpacks the layer on a host that runs.

    Args:
        lab: The lab.
        made: The layer.
        host: Where.
        ansible: Whether Ansible runs there.
    """
    left_out = [] if ansible else [f"--exclude={path}" for path in _ANSIBLE_ALONE]
    words = ["tar", *left_out, "--no-recursion", f"--files-from={made.parent / 'files'}", "--create", "--file=-"]
    into = enter(lab.machines.host(host), ["tar", "--extract", "--directory=/", "--file=-"])
    with subprocess.Popen(words, cwd=made, stdout=subprocess.PIPE) as packing:
        unpacked = subprocess.run(into, stdin=packing.stdout, capture_output=True)
    assert unpacked.returncode == 0, unpacked.stderr.decode()
    lab.exec(host, "ldconfig; systemctl daemon-reload")
