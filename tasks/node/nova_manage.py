"""Nova's database, placement's and the mapping of cells, compared by `nova-manage`.

Read in openstack/nova, `nova/cmd/manage.py`, train (Platform 16), wallaby (17) and master; in the last two, texts and codes are
the same. `placement audit` came with Ussuri (21.0.0); where it is not there, it is told.

It is run as nova and logs nowhere: root's own `nova-manage.log` would keep nova from ever writing there (TripleO's release note
nova_run_chown_on_every_deploy). What it prints is what it has to say, its errors too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from blocks.remote.command import Command, command
from blocks.remote.shell import Result
from tasks.node.consistency import ANY_CODE, Agreement, Seen, last_line, not_there

CONTAINER = "nova_api"
_CELL0 = "00000000-0000-0000-0000-000000000000"
_MISSING = re.compile(r"^\[dry-run\] (?P<what>Create|Update) allocations for instance (?P<instance>[^\s:]+)")
_HEALED = re.compile(r"^(Processed \d+ instances\.|No cells to process\.)", re.MULTILINE)
_ORPHANED = re.compile(
    r"^Allocations for consumer UUID (?P<consumer>\S+) on Resource Provider (?P<provider>\S+) can be deleted",
    re.MULTILINE,
)
_NO_NODE = re.compile(r"^The compute node for UUID (\S+) can not be found", re.MULTILINE)
_AUDITED = re.compile(r"^Processed (\d+) allocations?\.", re.MULTILINE)
# heal_allocations: 0 with, 4 without allocations that were made. audit: 0 none, 3 some orphaned, 4 some deleted.
_HEAL, _AUDIT, _DELETE = (0, 4), (0, 3), (0, 4)


def _manage(*words: str, changes: bool = False) -> Command:
    tool = ("nova-manage", "--log-file=/dev/null", *words)
    said = f"nova-manage {' '.join(words)}"
    return command(
        "podman", "exec", "--user", "nova", CONTAINER, *tool, ok=ANY_CODE, quiet=True, changes=changes, says=said
    )


def _by_hand(*words: str) -> str:
    return " ".join(("podman exec --user nova", CONTAINER, "nova-manage", *words))


def _failure(result: Result, good: Sequence[int] = (0,)) -> str:
    return "" if result.exit_code in good else f"exit code {result.exit_code}: {last_line(result)}"


# -- placement


def parse_heal_allocations(result: Result) -> Seen:
    """Read what `placement heal_allocations --dry-run --verbose` prints: what it would make, and its end."""
    if why := not_there(result, "nova-manage placement heal_allocations --dry-run"):
        return Seen(nothing=why)
    found = [match for line in result.stdout.splitlines() if (match := _MISSING.match(line))]
    differences = tuple(
        f"instance {match['instance']} {'has no allocations' if match['what'] == 'Create' else 'lacks allocations'}"
        for match in found
    )
    if not (unknown := _failure(result, _HEAL)) and not _HEALED.search(result.stdout):
        unknown = f"heal_allocations has not come to its end: {last_line(result)}"
    return Seen(differences, unknown)


def parse_audit(result: Result) -> Seen:
    """Read what `placement audit --verbose` prints: allocations of consumers that Nova does not know, and their number."""
    if why := not_there(result, "nova-manage placement audit"):
        return Seen(nothing=why)
    orphaned = tuple(
        f"allocations of consumer {match['consumer']} on resource provider {match['provider']} are no instance's"
        for match in _ORPHANED.finditer(result.stdout)
    )
    unknown = _failure(result, _AUDIT)
    told = _AUDITED.search(result.stdout)
    if not unknown and len(orphaned) != (int(told[1]) if told else 0):
        unknown = f"audit tells of {told[1] if told else 'no'} allocations and lists {len(orphaned)}"
    elif not unknown and (result.exit_code == 0) != (not orphaned):
        unknown = f"audit ended with {result.exit_code} and lists {len(orphaned)} allocations"
    # Where Nova has lost a compute node, all of that node's allocations are called orphaned.
    nodes = _NO_NODE.findall(result.stdout) if orphaned else []
    return Seen((*orphaned, *(f"resource provider {node} is no compute node of Nova's" for node in nodes)), unknown)


def _of_heal(results: Sequence[Result]) -> Seen:
    return parse_heal_allocations(results[0])


def _of_audit(results: Sequence[Result]) -> Seen:
    return parse_audit(results[0])


# -- cells


def parse_table(result: Result, *wanted: str) -> list[tuple[str, ...]]:
    """Read columns of a table as prettytable prints it.

    Args:
        result: What was printed.
        wanted: The columns' heads.

    Raises:
        ValueError: It is no such table, or not whole.
    """
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    borders = [place for place, line in enumerate(lines) if line.startswith("+-")]
    if len(borders) < 3 or borders[-1] != len(lines) - 1 or not lines[-1].endswith("-+"):
        raise ValueError(f"no whole table: {last_line(result)}")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    if any(len(row) != len(rows[0]) for row in rows) or not {*wanted} <= {*rows[0]}:
        raise ValueError(f"no table with {', '.join(wanted)}: {last_line(result)}")
    places = [rows[0].index(head) for head in wanted]
    return [tuple(row[place] for place in places) for row in rows[1:]]


def parse_cells(results: Sequence[Result], hosts: Sequence[str]) -> Seen:
    """Read what `cell_v2 list_cells` and `cell_v2 list_hosts` print: whether there are cells, and whether they have all hosts.

    Args:
        results: The two answers.
        hosts: Names of the compute nodes in the inventory; Nova calls them by these or by their full names.
    """
    for result, tool in zip(results, ("list_cells", "list_hosts"), strict=True):
        if why := not_there(result, f"nova-manage cell_v2 {tool}"):
            return Seen(nothing=why)
        if why := _failure(result):
            return Seen(unknown=f"{tool}: {why}")
    try:
        cells = [uuid for (uuid,) in parse_table(results[0], "UUID")]
        mapped = {host.partition(".")[0].lower() for (host,) in parse_table(results[1], "Hostname")}
    except ValueError as error:
        return Seen(unknown=str(error))
    differences = [] if _CELL0 in cells else ["there is no cell0"]
    differences += [] if set(cells) - {_CELL0} else ["there is no cell but cell0"]
    missing = [host for host in hosts if host.partition(".")[0].lower() not in mapped]
    differences += [f"compute node {host} is in no cell" for host in missing]
    unknown = "" if hosts else "the inventory has no group nova_compute, which would say what hosts there must be"
    return Seen(tuple(differences), unknown)


# -- what is compared

_HEAL_WORDS = ("placement", "heal_allocations", "--verbose")
_AUDIT_WORDS = ("placement", "audit", "--verbose")
# As TripleO does (deployment/nova/nova-compute-common-container-puppet.yaml).
_DISCOVER_WORDS = ("cell_v2", "discover_hosts", "--by-service", "--verbose")

ALLOCATIONS = Agreement(
    key="allocations",
    subject="Nova's instances and their allocations in placement",
    container=CONTAINER,
    looks=(_manage(*_HEAL_WORDS, "--dry-run"),),
    judge=_of_heal,
    repair=_manage(*_HEAL_WORDS, changes=True),
    failed=partial(_failure, good=_HEAL),
    effect="instances get the allocations in placement that they lack",
    by_hand=_by_hand(*_HEAL_WORDS),
)

ORPHANED_ALLOCATIONS = Agreement(
    key="orphaned-allocations",
    subject="placement's allocations and Nova's instances",
    container=CONTAINER,
    looks=(_manage(*_AUDIT_WORDS),),
    judge=_of_audit,
    repair=_manage(*_AUDIT_WORDS, "--delete", changes=True),
    failed=partial(_failure, good=_DELETE),
    effect="allocations of consumers that Nova does not know are deleted from placement",
    by_hand=_by_hand(*_AUDIT_WORDS, "--delete"),
)


def cells(hosts: Sequence[str]) -> Agreement:
    """Nova's cells and the compute nodes that must be in them.

    Args:
        hosts: Names of the compute nodes in the inventory.
    """
    return Agreement(
        key="cells",
        subject="Nova's cells and the compute nodes of the inventory",
        container=CONTAINER,
        looks=(_manage("cell_v2", "list_cells"), _manage("cell_v2", "list_hosts")),
        judge=lambda results: parse_cells(results, hosts),
        repair=_manage(*_DISCOVER_WORDS, changes=True),
        failed=_failure,
        effect="compute nodes that are in no cell are mapped to the one that has their service",
        by_hand=_by_hand(*_DISCOVER_WORDS),
    )
