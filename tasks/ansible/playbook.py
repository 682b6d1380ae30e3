"""A playbook's run, as a long unit on the undercloud: it outlives the connection, and its output is followed."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from blocks.remote.connection import Action, Performed, Watch
from blocks.remote.errors import CommandFailed, HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, forget, read_log, run_long, unit_state
from tasks.ansible.files import PlaybookFiles
from tasks.ansible.recap import HostRecap, parse_recap, problems
from tasks.engine.change import Change
from tasks.engine.results import Results

# What a site's own ansible.cfg must not change: the check of host keys, and the output that is read. Ansible's account may have
# no terminal, and its output comes line by line.
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",  # without a locale of UTF-8, Ansible does not run from 2.14 on
    "ANSIBLE_HOST_KEY_CHECKING": "True",
    "ANSIBLE_STDOUT_CALLBACK": "default",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_RETRY_FILES_ENABLED": "0",
    "PYTHONUNBUFFERED": "1",
}

_NOT_RUN = "the role was not run: all is as it leaves it"


@dataclass(frozen=True)
class PlaybookRun(Action[Shell]):
    """One run of a playbook.

    Attributes:
        files: What Ansible reads.
        hosts: Names of the hosts on which it must end well.
        tag: The part of the role that is carried out.
        roles_path: Directory on the undercloud that holds the role.
        timeout_s: Seconds until systemd ends it.
        at_once: On how many hosts at the same time; None as ansible.cfg says.
    """

    files: PlaybookFiles
    hosts: tuple[str, ...]
    tag: str
    roles_path: str
    timeout_s: float
    at_once: int | None = None

    @property
    def long(self) -> LongCommand:
        """The unit. A run that wants other contents of the files does not attach to it."""
        files = self.files
        words = (
            *("sudo", "-n", "-H", "-u", files.owner, "env"),
            *(f"{name}={value}" for name, value in _ENVIRONMENT.items()),
            f"ANSIBLE_ROLES_PATH={self.roles_path}",
            *("ansible-playbook", "-v", "-i", files.path("inventory.yaml"), "--become", "--become-user", "root"),
            *(() if self.at_once is None else ("--forks", str(self.at_once))),
            *("-e", f"@{files.variables_path}", "--tags", self.tag, files.path(files.playbook_name)),
        )
        return LongCommand(f"ansible-{files.digest}", words, self.timeout_s, says=f"ansible-playbook --tags {self.tag}")

    @property
    def shown(self) -> str:
        """The command without the unit around it; it is root that becomes Ansible's account."""
        return shlex.join(self.long.words)

    def perform(self, connection: Shell, watch: Watch) -> Performed:
        """Run it or attach to it, and judge what came of it on each host: Ansible's exit code is not enough.

        Raises:
            HostError: It did not end well on every host; with each of those, and why.
            CommandFailed: It failed before it came to any host.
        """
        try:
            how: Performed = run_long(connection, self.long, watch.line, watch.progress)
        except CommandFailed as error:
            lines = read_log(connection, self.long)
            if parse_recap(lines):
                raise self._failed(connection, problems(lines, self.hosts)) from error
            raise
        if wrong := problems(read_log(connection, self.long), self.hosts):
            forget(connection, self.long)
            raise self._failed(connection, wrong)
        return how

    def _failed(self, connection: Shell, wrong: list[str]) -> HostError:
        said = "; ".join(wrong) or "Ansible failed, and names no host that did"
        return HostError(
            connection.name,
            f"the role {self.tag} did not end well: {said}",
            f"mend it there, and start the runbook again; {self.long.log} on {connection.name} has the whole output",
        )

    def has_unread_result(self, connection: Shell) -> bool:
        """Whether an earlier run's unit is there still."""
        return unit_state(connection, self.long).loaded

    def forget(self, connection: Shell) -> None:
        """Drop the unit, whose end is on record."""
        forget(connection, self.long)

    def read_recap(self, connection: Shell) -> dict[str, HostRecap]:
        """What it came to, by host; empty where it was not run."""
        return parse_recap(read_log(connection, self.long))


@dataclass(frozen=True)
class RoleStep:
    """The step that runs a role, and what it returns.

    Attributes:
        change: The run, on the undercloud.
        recap: What it came to, by host.
    """

    change: Change
    recap: Results[dict[str, HostRecap]]

    def recap_of(self, undercloud: str, host: str) -> str:
        """What it came to on a host, as the report and the plan say it."""
        return self.recap.shown(undercloud, lambda by_host: str(by_host[host]) if host in by_host else _NOT_RUN)


def role_step(run: PlaybookRun, is_done: Callable[[], bool]) -> RoleStep:
    """Make the step of a run that is left out where all that it would do is done.

    Args:
        run: The playbook's run.
        is_done: Looks at the hosts.
    """
    left_out: list[bool] = []

    def already(_: Shell) -> bool:
        left_out[:] = [is_done()]
        return left_out[0]

    def read(shell: Shell) -> dict[str, HostRecap]:
        # The log of an earlier run says nothing of this one.
        return {} if True in left_out else run.read_recap(shell)

    return RoleStep(Change((run,), already=already), Results("the recap", dict[str, HostRecap], read))
