"""Who gets in by which key: authorized_keys of an account."""

from __future__ import annotations

from blocks.remote.command import script
from tasks.engine.change import Change

_AUTHORIZE = """
home=$(getent passwd "$1" | cut -d: -f6)
group=$(id -g "$1")
install -d -m 700 -o "$1" -g "$group" "$home/.ssh"
file=$home/.ssh/authorized_keys
new=$(mktemp "$file.XXXXXX")
trap 'rm -f -- "$new"' EXIT
[ ! -e "$file" ] || cat -- "$file" >"$new"
[ -z "$(tail -c 1 "$new")" ] || echo >>"$new"
for line in "${@:2}"; do grep -qxF -e "$line" "$new" || printf '%s\\n' "$line" >>"$new"; done
chown "$1:$group" "$new"
chmod 600 "$new"
mv -fT -- "$new" "$file"
"""
_AUTHORIZED = """
file=$(getent passwd "$1" | cut -d: -f6)/.ssh/authorized_keys
for line in "${@:2}"; do grep -qxF -e "$line" "$file" 2>/dev/null || exit 1; done
"""


def authorize(user: str, lines: tuple[str, ...]) -> Change:
    """Let keys in as a user; what is in the file already stays.

    Args:
        user: The account.
        lines: Of authorized_keys.
    """
    return Change(
        (script(_AUTHORIZE, user, *lines, says=f"put {len(lines)} keys into {user}'s authorized_keys"),),
        already=lambda shell: (
            shell.run(script(_AUTHORIZED, user, *lines, ok=(0, 1), quiet=True, changes=False)).exit_code == 0
        ),
    )
