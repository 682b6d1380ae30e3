"""Who else starts ReaR: its package's own cron job, and the crontab line of BR 2.6 and 3.6.

ReaR's own job starts at 01:30 and has overwritten good images (LP 1912764). The documented line starts a backup of the whole
control plane at midnight; with a runbook on a schedule as well, two backups would stop the same cluster.
"""

from __future__ import annotations

import re

from blocks.remote.command import question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change

OWN_JOB = "/etc/cron.d/rear"
_MARK = "# openstack-runbooks: "
# The documented script, by any path; the command in it; and the line that later roles write by themselves.
_BACKUP = re.compile(r"execute-rear-cron\.sh|openstack\s+(over|under)cloud\s+backup")


def has_own_job(shell: Shell) -> bool:
    """Whether a host has the cron job of ReaR's package."""
    return shell.run(question("test", "-e", OWN_JOB, ok=(0, 1))).exit_code == 0


def remove_own_job() -> Change:
    """Remove the cron job of ReaR's package."""
    return Change(
        (script('rm -f -- "$1"', OWN_JOB, says="remove the cron job of ReaR's package"),),
        already=lambda shell: not has_own_job(shell),
    )


def parse_crontab(text: str) -> list[str]:
    """Find the lines of a crontab that start a backup of the documents; comments are none."""
    return [line for line in text.splitlines() if not line.lstrip().startswith("#") and _BACKUP.search(line)]


def read_crontab(shell: Shell, user: str) -> list[str]:
    """Ask which lines of a user's crontab start a backup of the documents; a user without one has none."""
    return parse_crontab(shell.run(question("crontab", "-u", user, "-l", ok=(0, 1))).stdout)


def disable_lines(user: str, lines: tuple[str, ...]) -> Change:
    """Make comments of the lines of a user's crontab that start a backup.

    Args:
        user: Whose crontab.
        lines: Those lines, as they were read.
    """
    return Change(
        (script(_DISABLE, user, _MARK, *lines, says=f"make comments in the crontab of {user}"),),
        already=lambda shell: not set(lines) & set(read_crontab(shell, user)),
    )


# Whole lines are compared, as they are; what else is in the crontab stays, what somebody has added meanwhile too.
_DISABLE = r"""
user=$1 mark=$2
new=$(mktemp)
trap 'rm -f -- "$new"' EXIT
crontab -u "$user" -l | while IFS= read -r line; do
  for each in "${@:3}"; do [ "$line" != "$each" ] || line="$mark$line"; done
  printf '%s\n' "$line"
done >"$new"
crontab -u "$user" "$new"
"""
