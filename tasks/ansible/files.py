"""What Ansible reads on the undercloud: inventory, pinned host keys, playbook and variables, written by the runbook.

They lie in a directory of the runbook's own, which Ansible's account may read and not change: what stands in them runs as root on
every node. No secret is in them. The documents' inventory has INI text in a file called `.yaml`, and switches the check of host
keys off for the path that carries root's work; here it is YAML, and the keys are the site's pinned ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from blocks.remote.command import Command, question, script
from blocks.remote.errors import RunbookError
from blocks.remote.known_hosts import read_host_keys
from blocks.remote.shell import Shell
from tasks.engine.change import Change

DIRECTORY = "/var/lib/openstack-runbooks/ansible"
_KNOWN_HOSTS = "known_hosts"
_VARIABLES = "variables.json"


@dataclass(frozen=True)
class Node:
    """A host as Ansible reaches it.

    Attributes:
        name: In the inventory.
        address: Where it is; empty for the undercloud itself, where Ansible runs.
        user: Who logs in there.
    """

    name: str
    address: str = ""
    user: str = ""


@dataclass(frozen=True)
class PlaybookFiles:
    """The files of one run of a role.

    Attributes:
        directory: Where they lie, on the undercloud.
        owner: Account that runs Ansible: its group may read them.
        inventory: The inventory's text.
        known_hosts: The pinned keys of its hosts, in OpenSSH's format.
        playbook: The playbook's text.
        playbook_name: Its file's name, as the document has it.
        variables: Of the role.
    """

    directory: str
    owner: str
    inventory: str
    known_hosts: str
    playbook: str
    playbook_name: str
    variables: Mapping[str, object]

    @property
    def contents(self) -> dict[str, str]:
        """File name → text; the inventory with the keys first, as the document's steps have it."""
        return {
            "inventory.yaml": self.inventory,
            _KNOWN_HOSTS: self.known_hosts,
            self.playbook_name: self.playbook,
            _VARIABLES: json.dumps(self.variables, indent=2, sort_keys=True) + "\n",
        }

    @property
    def digest(self) -> str:
        """What these contents are known by."""
        return hashlib.sha256(json.dumps(self.contents, sort_keys=True).encode()).hexdigest()[:12]

    def path(self, name: str) -> str:
        """Where a file lies."""
        return f"{self.directory}/{name}"

    @property
    def variables_path(self) -> str:
        """Where the role's variables lie."""
        return self.path(_VARIABLES)

    def write_inventory(self) -> Change:
        """Write the inventory and the pinned keys."""
        return self._write(("inventory.yaml", _KNOWN_HOSTS))

    def write_playbook(self) -> Change:
        """Write the playbook and the role's variables."""
        return self._write((self.playbook_name, _VARIABLES))

    def _write(self, names: Sequence[str]) -> Change:
        texts = {name: self.contents[name] for name in names}

        def already(shell: Shell) -> bool:
            said = shell.run(question("sha256sum", *map(self.path, names), ok=(0, 1))).stdout
            found = {
                path.strip(): checksum for checksum, _, path in (line.partition(" ") for line in said.splitlines())
            }
            return all(found.get(self.path(name)) == _sha256(text) for name, text in texts.items())

        return Change(tuple(self._write_file(name, text) for name, text in texts.items()), already=already)

    def _write_file(self, name: str, text: str) -> Command:
        return script(_WRITE, self.directory, name, self.owner, stdin=text, stdin_is=f"{name}, as the runbook makes it")


# Readable by Ansible's account, and by nobody else; in place in one move.
_WRITE = """
install -d -m 755 "${1%/*}"
group=$(id -g "$3")
install -d -m 750 -o root -g "$group" "$1"
new="$1/.$2.new"
install -m 640 -o root -g "$group" /dev/null "$new"
cat >"$new"
mv -fT -- "$new" "$1/$2"
"""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def inventory_text(groups: Mapping[str, Sequence[Node]], key: str, directory: str, port: int = 22) -> str:
    """Make an inventory.

    Args:
        groups: Group → its hosts.
        key: Private key with which Ansible logs in, on the undercloud.
        directory: Where the pinned keys will lie, on the undercloud.
        port: Of sshd on the hosts.
    """
    # What is written first counts for OpenSSH, and Ansible puts these behind its own `ssh_args`, which name none of them as
    # long as it checks host keys (see `PlaybookRun`).
    pinned = f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={directory}/{_KNOWN_HOSTS} -o GlobalKnownHostsFile=/dev/null"
    made = {
        "all": {
            "vars": {"ansible_ssh_private_key_file": key, "ansible_ssh_common_args": pinned, "ansible_port": port},
            "children": {
                group: {"hosts": {node.name: _variables(node) for node in nodes}} for group, nodes in groups.items()
            },
        }
    }
    return yaml.safe_dump(made, sort_keys=False)


def _variables(node: Node) -> dict[str, str]:
    if not node.address:
        return {"ansible_connection": "local"}
    return {"ansible_host": node.address, "ansible_user": node.user}


def known_hosts_text(file: Path, addresses: Sequence[str], port: int = 22) -> str:
    """Take the keys of some hosts from the site's file of pinned keys.

    Args:
        file: The site's, on the worker.
        addresses: The hosts'.
        port: Of sshd on the hosts.

    Raises:
        RunbookError: A host has none, or the file can't be read.
    """
    lines = []
    for address in dict.fromkeys(addresses):
        name = address if port == 22 else f"[{address}]:{port}"
        try:
            keys = read_host_keys(file, address, port).keys
        except OSError as error:
            raise RunbookError(
                f"{file} can't be read: {error.strerror}", "see [ssh] known_hosts of the site file"
            ) from error
        if not keys:
            raise RunbookError(
                f"{file} has no key for {name}", "add it as the README says, and compare its fingerprint"
            )
        lines += [f"{name} {key.get_name()} {key.get_base64()}\n" for key in keys]
    return "".join(lines)


def playbook_text(name: str, hosts: str, role: str) -> str:
    """Make the document's playbook.

    Args:
        name: What it does, as the document words it.
        hosts: Pattern of groups.
        role: The role's name.
    """
    return yaml.safe_dump([{"name": name, "hosts": hosts, "become": True, "roles": [{"role": role}]}], sort_keys=False)
