"""What must be cleaned up whatever happens: by the flow, by the hook of its end, and last by each host itself.

A cleanup is announced before what it cleans up is done: in the journal, for the hooks and the next run, and on each host as
a systemd timer, which runs the same words by itself once the run has not renewed it for the site's limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial

from pydantic import BaseModel, ConfigDict
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from blocks.remote.command import Command, command, question, script
from blocks.remote.errors import HostError, RunbookError
from blocks.remote.shell import Shell
from blocks.remote.units import unit_words
from tasks.engine.heartbeat import Heartbeat, Renewal

# A connection that was lost is opened again: what must be cleaned up is worth some seconds.
_ATTEMPTS = 3
_PREFIX = "openstack-runbooks-cleanup-"


class Cleanup(BaseModel):
    """What is cleaned up, and the command that does it on each host. It must bear being run again, and where nothing is to do.

    Attributes:
        key: Its name.
        sentence: What it does, as an order.
        words: Host → program and arguments. No secret: the plan, the journal and systemd show them.
        within_s: Seconds for them on each host, where the run or its hooks run them.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    sentence: str
    words: dict[str, tuple[str, ...]]
    within_s: float = 60.0

    def unit(self, host: str) -> str:
        """The name of the host's timer, and of the service that it starts."""
        return f"{_PREFIX}{hashlib.sha256(repr((self.key, self.words[host])).encode()).hexdigest()[:10]}"

    def on(self, hosts: Sequence[str]) -> Cleanup:
        """The same on some of its hosts."""
        return self.model_copy(update={"words": {host: self.words[host] for host in hosts}})


def arm(cleanup: Cleanup, host: str, within_s: int) -> Command:
    """The command that arms a host's own timer, or sets it back to its full time; it fails where no timer waits afterwards.

    Args:
        cleanup: What the timer does.
        host: Where.
        within_s: Seconds without renewal until the host does it by itself.
    """
    unit = cleanup.unit(host)
    # systemd lets go of a unit that was stopped when it comes to it: until then there can be no other of its name.
    return script(
        "for _ in {1..50}; do "
        f"systemctl stop {unit}.timer 2>/dev/null || :; systemctl reset-failed {unit}.service 2>/dev/null || :; "
        f'! said=$(systemd-run --quiet --unit={unit} --on-active={within_s} --timer-property=AccuracySec=1s -- "$@" 2>&1) '
        "|| break; sleep 0.2; done; "
        f'systemctl is-active --quiet {unit}.timer || {{ echo "$said" >&2; exit 1; }}',
        *unit_words(cleanup.words[host]),
        quiet=True,
        says=f"arm the host's own timer for: {cleanup.sentence}",
    )


def read_armed(shell: Shell) -> list[str]:
    """The timers that wait on a host. Where no run is at work there, runs that were killed have left them."""
    ask = question(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=timer", f"{_PREFIX}*", timeout_s=30
    )
    return [row[0] for row in (line.split() for line in shell.run(ask).stdout.splitlines()) if "active" in row[2:3]]


def run_now(timers: Sequence[str]) -> Command:
    """The command that has a host do at once what its timers would do later; it is not waited for.

    Args:
        timers: What `read_armed` has found.
    """
    text = 'for timer in "$@"; do systemctl start "${timer%.timer}.service"; systemctl stop "$timer"; done'
    return script(text, *timers, quiet=True, says="do at once what the timers of killed runs would do")


@contextmanager
def armed(cleanup: Cleanup, shells: Mapping[str, Shell], within_s: int, heartbeat: Heartbeat | None) -> Iterator[None]:
    """Arm the timers of all hosts, and keep each from running out by itself while the block lasts.

    A host that can't be reached for `within_s` cleans up: that is what the timer is for. Before that, the run's heartbeat
    lets it change nothing more. The timers stay armed after the block.

    Args:
        cleanup: What the timers do.
        shells: Host → shell.
        within_s: Seconds without renewal until a host does it by itself.
        heartbeat: Renews them; None where nothing is kept alive.

    Raises:
        RunbookError: A host's timer could not be armed: nothing that needs it may be done.
    """
    failed = _on_all(list(cleanup.words), lambda host: shells[host].run(arm(cleanup, host, within_s)))
    for error in failed.values():
        raise error
    renewals = [
        Renewal(
            f"the timer of {host} for: {cleanup.sentence}",
            partial(_renew, shells[host], arm(cleanup, host, within_s)),
            every_s=within_s / 5,
            within_s=within_s * 0.8,
        )
        for host in cleanup.words
    ]
    with heartbeat.keeping(renewals) if heartbeat else nullcontext():
        yield


def _renew(shell: Shell, arming: Command) -> None:
    shell.run(arming)


def clean_up(
    cleanups: Sequence[Cleanup], shells: Mapping[str, Shell], on_record: Callable[[list[Cleanup]], None]
) -> list[str]:
    """Clean up, the last announced first, each on all its hosts whatever happens to the others.

    Args:
        cleanups: What is due, in the order in which it was announced.
        shells: Host → shell.
        on_record: Puts on record what is still due, after each.

    Returns:
        Why a cleanup is still due, by host; empty where all is done.
    """
    due, errors = list(cleanups), []
    for cleanup in reversed(cleanups):
        failed = _on_all(list(cleanup.words), partial(_clean_up_host, cleanup, shells))
        errors += [f"{cleanup.sentence}: {error}" for error in failed.values()]
        at = due.index(cleanup)
        due[at : at + 1] = [cleanup.on(list(failed))] if failed else []
        try:
            on_record(list(due))
        except RunbookError as error:
            errors.append(f"the journal can't be kept: {error.message}")
    return errors


def _clean_up_host(cleanup: Cleanup, shells: Mapping[str, Shell], host: str) -> None:
    """Clean up on one host, then disarm its timer.

    Raises:
        RunbookError: It can't be reached, or a command failed, or the site no longer has it.
    """
    shell = shells.get(host)
    if shell is None:
        raise HostError(host, "is no host of this run any more", "it does so by itself; see the site's inventory")
    retrying = Retrying(
        retry=retry_if_exception_type(shell.retryable),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=1, max=10),
        reraise=True,
    )
    words = cleanup.words[shell.name]
    retrying(shell.run, command(*words, says=cleanup.sentence, timeout_s=cleanup.within_s))
    retrying(shell.run, script(f"systemctl stop {cleanup.unit(shell.name)}.timer 2>/dev/null || :", quiet=True))


def _on_all(hosts: Sequence[str], do: Callable[[str], object]) -> dict[str, RunbookError]:
    """Do something on all hosts side by side, and return what failed by host."""
    with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
        futures = {host: pool.submit(do, host) for host in hosts}
    failed: dict[str, RunbookError] = {}
    for host, future in futures.items():
        error = future.exception()
        if isinstance(error, RunbookError):
            failed[host] = error
        elif error is not None:
            raise error
    return failed
