"""A run of a runbook of one step, on hosts that are not there."""

from __future__ import annotations

from typing import Any

from blocks.remote.command import command
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.change import Change
from tasks.engine.runbook import Work, carry_out
from tasks.engine.steps import Fence, Steps

BLOCKED = Fence("clients", "clients are blocked")
RUN_ID = "00000000-0000-0000-0000-000000000001"


def mysql(site: Site, _: object) -> list[str]:
    return [site.database.role]


def work(**changes: Any) -> Work[list[Shell]]:
    """One step on every host, which says what it does with the database `old`."""
    known: dict[str, Any] = {"look": lambda run: run.hosts, "procedure": procedure} | changes
    return Work(**known)


def procedure(steps: Steps, hosts: list[Shell]) -> None:
    steps.step("2", "Block", hosts, Change((command("one"),)), raises=BLOCKED)


def take(some: Work[Any], **parameters: object) -> None:
    carry_out("restore-galera", mysql, some, {"site": "lab", "dry_run": False} | parameters)


Published = list[tuple[str, str, list[str]]]
