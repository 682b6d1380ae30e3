"""Neutron's database and OVN's, compared by `neutron-ovn-db-sync-util`.

Read in its sources: networking-ovn stable/train (Platform 16), `networking_ovn/cmd/neutron_ovn_db_sync_util.py`, `ovn_db_sync.py`;
neutron wallaby (Platform 17) to 2026.1, `neutron/cmd/ovn/neutron_ovn_db_sync_util.py` and
`neutron/plugins/ml2/drivers/ovn/mech_driver/ovsdb/ovn_db_sync.py`. Container and configuration files are those of TripleO's own
use of it (`tripleo_environment/playbooks/roles/migration/tasks/sync-dbs.yml` in both).

- It tells of differences as warnings in its log, and of its failures as errors; its exit code is 0 also where it gave up (Train,
  Wallaby).
- Its mode `log` repairs nothing of what it tells. It does write: OVN's rules for Neutron's QoS policies (Wallaby), gateways that no
  host has are scheduled, and Neutron's list of hosts and physical networks is brought up to date (`OvnSbSynchronizer.do_sync`,
  in every mode). neutron-server does just the same at each start (`mech_driver.py`, `post_fork_initialize`): the comparison
  brings nothing about that the restored node has not done by itself.
- Missing port groups it tells at the debug level alone, up to 2023.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from blocks.remote.command import Command, command
from blocks.remote.shell import Result
from tasks.node.consistency import ANY_CODE, Agreement, Seen, last_line, not_there, quotable
from tasks.node.podman import podman_exec

CONTAINER = "neutron_api"
_TOOL = "neutron-ovn-db-sync-util"
# The log is neutron-server's own file else. Lines are oslo.log's: time, process, level, logger.
_LOGGED = """
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
"$@" --log-file "$log" || code=$?
grep -E -e ' (WARNING|ERROR|CRITICAL) ' -e 'ync completed' "$log" || :
exit "$code"
"""
_FILES = ("--config-file", "/etc/neutron/neutron.conf", "--config-file", "/etc/neutron/plugins/ml2/ml2_conf.ini")
# What it says last: up to 2023.1, and from 2024.1 on.
_ENDS = ("Sync completed for Southbound db", "Neutron OVN DB sync completed")
_NO_OVN = 'No "ovn" mechanism driver found'
# Warnings of 2024.1 and later that tell of no difference.
_AGREES = re.compile(
    r"^Host \S+ found both in OVN SB DB and Neutron|^False-positive ACLs|^Number of Port Groups to add: 0, remove: 0$"
)
_SAID = re.compile(r" (?P<level>WARNING|ERROR|CRITICAL) (?P<logger>\S+) (?:\[[^]]*\] )?(?P<said>.*)")


def _words(mode: str) -> tuple[str, ...]:
    return (_TOOL, *_FILES, "--ovn-neutron_sync_mode", mode)


def _sync(mode: str) -> Command:
    words = podman_exec(CONTAINER, "bash", "-c", _LOGGED, "bash", *_words(mode))
    return command(*words, ok=ANY_CODE, quiet=True, says=f"run {_TOOL} in mode {mode}")


def parse_sync(result: Result) -> Seen:
    """Read what the tool has logged.

    Args:
        result: Its warnings, errors and ends, as `_LOGGED` prints them, and its exit code.
    """
    if _NO_OVN in result.stdout:
        return Seen(nothing="Neutron does not use OVN")
    if why := not_there(result, _TOOL):
        return Seen(nothing=why)
    said = [found for line in result.stdout.splitlines() if (found := _SAID.search(line))]
    differences = tuple(
        found["said"]
        for found in said
        if found["level"] == "WARNING" and found["logger"].rpartition(".")[2] == "ovn_db_sync"
        if not _AGREES.match(found["said"])
    )
    return Seen(differences, failure(result))


def failure(result: Result) -> str:
    """Why the tool has not come to its end; empty where it has.

    Args:
        result: As for `parse_sync`.
    """
    if result.exit_code == 0 and any(end in result.stdout for end in _ENDS):
        return ""
    said = [found for line in result.stdout.splitlines() if (found := _SAID.search(line))]
    errors = [found["said"] for found in said if found["level"] != "WARNING"]
    return f"{_TOOL} has not come to its end: {quotable(errors[-1]) if errors else last_line(result)}"


def _judge(results: Sequence[Result]) -> Seen:
    return parse_sync(results[0])


def neutron_and_ovn() -> Agreement:
    """Neutron's database, and OVN's."""
    return Agreement(
        key="ovn",
        subject="Neutron and OVN",
        container=CONTAINER,
        looks=(_sync("log"),),
        judge=_judge,
        repair=_sync("repair"),
        failed=failure,
        effect="OVN is made what Neutron says: networks, ports and routers that Neutron does not know are removed from it",
        by_hand=" ".join(("podman exec", CONTAINER, *_words("repair"))),
    )
