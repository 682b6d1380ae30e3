"""Where the lab keeps its files."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.lab.settings import PREFIX

# Held while the lab is brought up or down. One for the machine, as there can be only one lab on it.
LOCK = Path(f"/run/lock/{PREFIX}")


@dataclass(frozen=True)
class Paths:
    """Where the lab keeps its files, all of it outside the clone."""

    root: Path

    @classmethod
    def default(cls, name: str = "lab") -> "Paths":
        """Returns the paths below the user's cache directory."""
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return cls(Path(base).absolute() / "openstack-runbooks" / name)

    @property
    def cache(self) -> Path:
        """What can be built again: root file systems, the image store, disks of a formed cluster."""
        return self.root / "cache"

    @property
    def run(self) -> Path:
        """The live lab."""
        return self.root / "run"

    @property
    def state(self) -> Path:
        """What the live lab was made from; written when it is complete."""
        return self.run / "state.json"

    @property
    def inventory(self) -> Path:
        """The inventory, as tripleo-ansible-inventory writes it."""
        return self.run / "inventory.yaml"

    @property
    def known_hosts(self) -> Path:
        """The hosts' public keys."""
        return self.run / "known_hosts"

    @property
    def key(self) -> Path:
        """The private key for stack and heat-admin."""
        return self.run / "id_ed25519"

    @property
    def site(self) -> Path:
        """The site file which points at the files above."""
        return self.run / "site.toml"

    @property
    def floor(self) -> Path:
        """The layer with the old versions' wrappers, where the live lab has a floor."""
        return self.run / "floor"

    def disk(self, host: str) -> Path:
        """The directory with what a host has written."""
        return self.run / "hosts" / host
