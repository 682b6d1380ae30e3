"""Floors: old versions of programs; the hosts refuse what these versions refuse.

Wrappers take the programs' places on every host. What they let through goes to the host's own, newer program.
"""

import shutil
from pathlib import Path

from tests.lab.base import Base
from tests.lab.floor.wrapper import CHECKS
from tests.lab.shell import LabError

NO_FLOOR = "none"
FLOORS = (NO_FLOOR, "rhel-8.2")
# On the hosts.
DIRECTORY = "/usr/local/lib/lab-floor"
_PACKAGE = Path(__file__).resolve().parent / "floor"
_WRAPPER = """\
#!/usr/bin/python3 -IS
import sys
sys.path.insert(0, {directory!r})
from floor.wrapper import main
main({name!r}, sys.argv, {real!r})
"""


def lay(base: Base, layer: Path, seen_at: str = "") -> Base:
    """Returns a base whose hosts have a floor.

    Args:
        base: What they are made of.
        layer: A directory that is not there yet, for what is laid over that.
        seen_at: Where the layer's top will be; the hosts' own by default.

    Raises:
        LabError: The hosts lack one of the programs.
    """
    kept = layer / DIRECTORY.lstrip("/")
    shutil.copytree(_PACKAGE, kept / _PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    (kept / "real").mkdir()
    for name in CHECKS:
        _take_place(base.rootfs, layer, name, f"{seen_at}{DIRECTORY}")
    return Base(base.path, base.rootfs, layer)


def _take_place(rootfs: Path, layer: Path, name: str, directory: str) -> None:
    folder = _folder(rootfs, name)
    shutil.copy(rootfs / folder / name, layer / DIRECTORY.lstrip("/") / "real" / name)
    wrapper = layer / folder / name
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    wrapper.write_text(_WRAPPER.format(name=name, directory=directory, real=f"{directory}/real"))
    wrapper.chmod(0o755)


def _folder(rootfs: Path, name: str) -> str:
    """Returns where a program is; before Debian 12, /bin may be a directory of its own."""
    for folder in ("usr/bin", "bin"):
        if (rootfs / folder / name).is_file() and not (rootfs / folder).is_symlink():
            return folder
    raise LabError(f"the hosts have no {name}, so no floor can be laid there")
