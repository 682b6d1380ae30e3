"""Images by SFTP with a key, and no password in any URL: a key for each node, which may do nothing else on the backup node.

ReaR gives its URLs to lftp and sshfs, and both start ssh. ReaR 2.4 hands no options to lftp; so the key stands in a file of ssh's
own configuration, for this user at this host alone. The rescue system must fetch the archive: the key lies below `/etc/rear`,
which ReaR takes along whole; ssh's file it is told of, since it takes `ssh_config` alone.
"""

from __future__ import annotations

import re

from blocks.remote.command import Command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change

DIRECTORY = "/etc/rear/openstack-runbooks"
KEY = f"{DIRECTORY}/id_ed25519"
_KNOWN_HOSTS = f"{DIRECTORY}/known_hosts"
CONFIG = "/etc/ssh/ssh_config.d/05-openstack-runbooks-rear.conf"
_PUBLIC_KEY = re.compile(r"^ssh-ed25519 [A-Za-z0-9+/=]+ openstack-runbooks-rear@[\w.-]+$")
# Nothing but files: no shell, no forwarding, no terminal.
_RESTRICTED = 'restrict,command="internal-sftp"'


def image_folder(store: str) -> str:
    """The folder for images in a store: the account that takes them must be able to write there, and nowhere else in the store."""
    return f"{store}/images"


def output_url(user: str, host: str, path: str) -> str:
    """Where ISOs go. The colon says that the password is empty, or lftp would ask for one."""
    return f"sftp://{user}:@{host}{path}/"


def archive_url(user: str, host: str, path: str) -> str:
    """Where archives go, beside the ISO."""
    return f"sshfs://{user}@{host}{path}"


_MAKE_KEY = """
install -d -m 700 "$1"
[ -s "$1/id_ed25519" ] || ssh-keygen -q -t ed25519 -N "" -C "$2" -f "$1/id_ed25519"
"""


def make_key(shell: Shell) -> Change:
    """Make a node's key, where it has none."""
    comment = f"openstack-runbooks-rear@{shell.name}"
    return Change(
        (script(_MAKE_KEY, DIRECTORY, comment, says="make a key for images by SFTP"),),
        already=lambda there: there.run(question("test", "-s", KEY, ok=(0, 1))).exit_code == 0,
    )


def read_public_key(shell: Shell) -> str:
    """Read the public half of a node's key.

    Raises:
        HostError: It is none of ours.
    """
    text = shell.run(question("cat", f"{KEY}.pub")).text
    if not _PUBLIC_KEY.match(text):
        raise HostError(
            shell.name, f"{KEY}.pub is no key of this runbook's", "move it away, and start the runbook again"
        )
    return text


def restricted(public_key: str) -> str:
    """The line of authorized_keys for a node's key."""
    return f"{_RESTRICTED} {public_key}"


def config_text(user: str, host: str) -> str:
    """What ssh reads for this user at this host."""
    return (
        f"Match host {host} user {user}\n"
        f"  IdentityFile {KEY}\n  IdentitiesOnly yes\n  PreferredAuthentications publickey\n  BatchMode yes\n"
        f"  StrictHostKeyChecking yes\n  UserKnownHostsFile {_KNOWN_HOSTS}\n  GlobalKnownHostsFile /dev/null\n"
    )


_PUT = """
install -d -m 755 "${1%/*}"
new=$1.new
install -m 600 /dev/null "$new"
cat >"$new"
chmod "$2" "$new"
mv -fT -- "$new" "$1"
"""


def configure(user: str, host: str, known_hosts: str) -> Change:
    """Have ssh use the key, and the backup node's pinned host key.

    Args:
        user: The account there.
        host: The backup node's address.
        known_hosts: Its pinned keys.
    """
    texts = {_KNOWN_HOSTS: (known_hosts, "600"), CONFIG: (config_text(user, host), "644")}

    def already(shell: Shell) -> bool:
        said = [
            shell.run(script('[ ! -e "$1" ] || cat -- "$1"', path, quiet=True, changes=False)).stdout for path in texts
        ]
        return said == [text for text, _ in texts.values()]

    def put(path: str, text: str, mode: str) -> Command:
        return script(_PUT, path, mode, stdin=text, stdin_is=f"{path}, as the runbook makes it")

    return Change(tuple(put(path, text, mode) for path, (text, mode) in texts.items()), already=already)


def require_login(user: str, host: str) -> Change:
    """See that a node gets in: sftp says in which directory it is.

    Args:
        user: The account on the backup node.
        host: The backup node's address.
    """
    says = f"log in to {host} as {user} by SFTP"
    return Change((script('exec sftp -q -b - "$1" <<<pwd', f"{user}@{host}", timeout_s=30, quiet=True, says=says),))
