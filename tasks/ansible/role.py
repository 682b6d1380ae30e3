"""The vendor's role `backup-and-restore` as the undercloud has it, and whether Ansible reaches the nodes from there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from blocks.remote.command import question, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.ansible.files import Node
from tasks.engine.change import Call, Change
from tasks.engine.checks import Check
from tasks.node.versions import Range

# With a hyphen up to the release Train, which is Platform 16.1.
ROLES = ("backup-and-restore", "backup_and_restore")
# Platform 16.1 has 2.9.
# From 2.14 on it ends with an error where the locale is not of UTF-8, as it is for all commands on a host.
ANSIBLE = (Range("Ansible", (2, 8), (2, 14), ("env", "LC_ALL=C.UTF-8", "ansible-playbook", "--version")),)
_PUBLIC_KEY = re.compile(r"^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\n]*)?$")
_ACCESS = "Ansible's access"

_FIND = 'for each in "${@:2}"; do [ ! -f "$1/$each/tasks/main.yml" ] || printf "%s\\n" "$each"; done'


def find_role(shell: Shell, roles_path: str) -> str:
    """Find the role by the names that it has had.

    Args:
        shell: The undercloud's.
        roles_path: Directory that holds it.

    Returns:
        Its name.

    Raises:
        HostError: It is not there.
    """
    found = shell.run(script(_FIND, roles_path, *ROLES, quiet=True, changes=False)).stdout.split()
    if not found:
        raise HostError(
            shell.name,
            f"{roles_path} has neither {' nor '.join(ROLES)}",
            "install the package tripleo-ansible, or name the directory as roles_path in [rear] of the site file",
        )
    return found[0]


# All at once, each with a time limit of its own. The keys are a file for ssh, which reads them more than once.
_REACH = r"""
known=$(mktemp)
trap 'rm -f -- "$known"' EXIT
cat >"$known"
chmod 644 "$known"
options=(-o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null)
for each in "${@:4}"; do
  read -r name user address <<<"$each"
  { if said=$(sudo -n -H -u "$1" ssh -n "${options[@]}" -o UserKnownHostsFile="$known" -i "$2" -p "$3" "$user@$address" \
      sudo -n true 2>&1)
    then printf '%s\tok\n' "$name"
    else printf '%s\t%s\n' "$name" "$(printf '%s' "$said" | tr '\n' ' ' | head -c 300)"
    fi; } &
done
wait
"""


def check_access(
    shell: Shell, nodes: Sequence[Node], known_hosts: str, user: str, key: str, port: int = 22
) -> list[Check]:
    """See that Ansible's account gets in at every node, and is root there; by the key and the pinned host keys that it will use.

    Args:
        shell: The undercloud's.
        nodes: Where to.
        known_hosts: The pinned keys.
        user: Account on the undercloud.
        key: Its private key.
        port: Of sshd on the nodes.
    """
    there = shell.run(question("sudo", "-n", "-H", "-u", user, "test", "-r", key, ok=(0, 1)))
    if there.exit_code:
        hint = "name another one as ansible_key in [rear] of the site file, or make it: `ssh-keygen` as that user"
        return [Check(_ACCESS, shell.name, "", f"{user} can't read a key at {key}", hint)]
    others = [node for node in nodes if node.address]
    if not others:
        return [Check(_ACCESS, shell.name, "Ansible works on the undercloud alone")]
    arguments = [f"{node.name} {node.user} {node.address}" for node in others]
    asked = script(
        _REACH, user, key, str(port), *arguments, stdin=known_hosts, quiet=True, changes=False, timeout_s=120
    )
    said = dict(line.split("\t", 1) for line in shell.run(asked).stdout.splitlines() if "\t" in line)
    return [_access(shell, node, user, key, said.get(node.name, "no answer").strip()) for node in others]


def _access(shell: Shell, node: Node, user: str, key: str, said: str) -> Check:
    if said == "ok":
        return Check(_ACCESS, node.name, f"{user} on {shell.name} gets in as {node.user}")
    reason = f"{user} on {shell.name} does not get in as {node.user} by {key}: {said}"
    hint = f"Ansible would leave it out: put {key}.pub into {node.user}'s authorized_keys there, and allow sudo without password"
    return Check(_ACCESS, node.name, "", reason, hint)


def require_access(nodes: Sequence[Node], known_hosts: str, user: str, key: str, port: int = 22) -> Change:
    """See in a step what `check_access` sees in preflight.

    Args:
        nodes: Where to.
        known_hosts: The pinned keys.
        user: Account on the undercloud.
        key: Its private key.
        port: Of sshd on the nodes.
    """

    def do(shell: Shell, _: Watch) -> Performed:
        for check in check_access(shell, nodes, known_hosts, user, key, port):
            if not check.ok:
                raise HostError(check.where, check.reason, check.hint)
        return "done"

    names = ", ".join(f"{node.user}@{node.address}" for node in nodes if node.address)
    return Change((Call(f"sudo -n -H -u {user} ssh -i {key} {names} sudo -n true", do),))


def read_public_key(shell: Shell, user: str, key: str) -> str:
    """Read the public half of Ansible's key.

    Args:
        shell: The undercloud's.
        user: Account on the undercloud.
        key: Its private key.

    Raises:
        HostError: It is not there, or is no public key of one line.
    """
    said = shell.run(question("cat", f"{key}.pub", ok=(0, 1))).text
    if not _PUBLIC_KEY.match(said):
        raise HostError(
            shell.name,
            f"{key}.pub is not there, or is no public key",
            f"make it as {user}: `ssh-keygen -y -f {key} > {key}.pub`; or name another key as ansible_key in [rear] of the "
            "site file",
        )
    return said
