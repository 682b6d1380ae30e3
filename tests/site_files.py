"""Site files for tests: complete folders whose hosts nobody ever contacts."""

import base64
from pathlib import Path

from blocks.inventory import read_inventory
from deployments.project import PROJECT

EXAMPLE_INVENTORY = PROJECT / "deployments" / "sites" / "example-inventory.yaml"
UNDERCLOUD = "192.168.24.1"
BACKUP_NODE = "192.168.24.100"
# A well-formed public key that belongs to nobody.
PUBLIC_KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()

SITE = """\
name = "{name}"
inventory = "inventory.yaml"
undercloud_address = "192.168.24.1"

[ssh]
user = "heat-admin"
key = "key"
known_hosts = "known_hosts"
"""


def write_site(folder: Path, name: str = "lab", more: str = "") -> Path:
    """Write a site file and all that it names into a folder.

    Args:
        folder: Made if it is missing.
        name: Of the site.
        more: TOML that is added to the file; it continues the section `[ssh]`.

    Returns:
        The site file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = EXAMPLE_INVENTORY.read_text()
    (folder / "inventory.yaml").write_text(text)
    addresses = (*read_inventory(text, UNDERCLOUD).hosts.values(), BACKUP_NODE)
    (folder / "known_hosts").write_text("".join(f"{address} {PUBLIC_KEY}\n" for address in addresses))
    key = folder / "key"
    key.touch()
    key.chmod(0o600)
    site = folder / f"{name}.toml"
    site.write_text(SITE.format(name=name) + more)
    return site
