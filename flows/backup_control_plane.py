"""backup-control-plane: "Creating a backup of the control plane nodes": its database, and with `images` its nodes.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", sections 2.5 and 3.5.
What the role does in their step 3 is taken step by step; without `images` its `db_backup` alone. Where a step departs from it,
`backup_control_plane.departures.toml` says so and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from blocks.constraints import RoleName
from blocks.site import UNDERCLOUD, Site
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.backup_control_plane.preflight import look
from tasks.runbooks.backup_control_plane.whole import look_at_all
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.procedure import back_up, prove_set, take
from tasks.runbooks.database_backup.proof import conclude, hosts_of_backup
from tasks.runbooks.database_backup.request import Bounds, Request
from tasks.runbooks.node_images.imaging import Availability, ImageRequest
from tasks.runbooks.node_images.making import make_images, paused, prove_images, save_first
from tasks.runbooks.node_images.rolling import make_images_in_turn
from tasks.runbooks.node_images.whole import Whole

NAME = "backup-control-plane"
__all__ = ["NAME", "backup_control_plane", "procedure", "procedure_with_images"]
_CONTENT: list[Literal["database"]] = ["database"]
_CONTROLLER = ["Controller"]


def hosts(site: Site, parameters: Mapping[str, Any]) -> list[str]:
    """The database's hosts, the store's, those of the drill, and with images those of the roles and the undercloud."""
    backed_up = hosts_of_backup(site.database.role, site)
    if not parameters.get("images"):
        return backed_up
    undercloud = [UNDERCLOUD] if site.undercloud else []
    return list(dict.fromkeys([*backed_up, *undercloud, *map(str, parameters.get("roles") or _CONTROLLER)]))


@runbook(NAME, hosts=hosts, timeout_s=48 * 3600)
def backup_control_plane(
    site: Annotated[str, Field(min_length=1)],
    content: Annotated[list[Literal["database"]], Field(min_length=1)] = _CONTENT,
    methods: Annotated[list[Literal["logical", "physical"]], Field(min_length=1)] | None = None,
    documented_file: bool = False,
    images: bool = False,
    roles: Annotated[list[RoleName], Field(min_length=1)] = _CONTROLLER,
    availability: Availability = "pause",
    dry_run: bool = False,
    wait_s: Annotated[int, Field(ge=0, le=86400)] = 14400,
    transfer_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 14400,
    drain_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 3600,
    hash_timeout_s: Annotated[int, Field(ge=0, le=86400)] = 3600,
    hash_at_most_mib: Annotated[int, Field(ge=0, le=2**24)] = 65536,
    image_timeout_s: Annotated[int, Field(ge=300, le=86400)] = 21600,
    start_timeout_s: Annotated[int, Field(ge=60, le=7200)] = 900,
) -> Work[Backup] | Work[Whole]:
    """Back up the database of the overcloud's control plane to the site's store, and prove it by restoring it.

    With `images`, the nodes of the control plane as well: its containers are paused and its cluster is stopped meanwhile, or one
    node at a time leaves it.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        content: What of the control plane is backed up.
        methods: `logical`, a dump; `physical`, a copy of its files as well. Empty: both, where the image can copy.
        documented_file: Write /root/openstack-backup-mysql.sql and its grants on the node that is backed up, too.
        images: Make an image of each node with ReaR, too. Nobody has proven these by a restore yet: off by default.
        roles: With images: roles of the inventory whose nodes get one, such as ControllerOpenstack, Database, Messaging, Networker.
        availability: With images: `pause`, all nodes at once, and nothing serves meanwhile; `rolling`, one node at a time leaves
            the cluster while the others serve, which takes longer.
        dry_run: Check everything and show the plan; change nothing.
        wait_s: Seconds to wait while another runbook is at work on the site; 0 refuses at once.
        transfer_timeout_s: Seconds for a dump, and for a physical copy, to reach the store.
        drain_timeout_s: Seconds for the node to catch up with the cluster afterwards.
        hash_timeout_s: Seconds after which no table's content is hashed any more; what is not hashed is not verified.
        hash_at_most_mib: Size in MiB above which a table's content is not hashed.
        image_timeout_s: Seconds for ReaR on a node, and for an image to be read on the store.
        start_timeout_s: Seconds for the cluster to stop, to start, and until all runs again that ran before.
    """
    bounds = Bounds(transfer_timeout_s, hash_timeout_s, hash_at_most_mib * 1024**2, drain_timeout_s)
    request = Request(NAME, tuple(methods) if methods else None, documented_file, bounds)
    if images:
        wanted = ImageRequest(NAME, tuple(dict.fromkeys(roles)), image_timeout_s, start_timeout_s, availability)
        return Work(
            look=partial(look_at_all, request=request, images=wanted),
            procedure=procedure_with_images,
            summary=lambda whole: f"{whole.backup.summary}; {whole.imaging.summary}",
            conclude=lambda whole: conclude(whole.backup.name, whole.backup.taken.outcomes),
        )
    return Work(
        look=partial(look, request=request),
        procedure=procedure,
        summary=lambda backup: backup.summary,
        conclude=lambda backup: conclude(backup.name, backup.taken.outcomes),
    )


def procedure(steps: Steps, backup: Backup) -> None:
    """Step 3's database: of all nodes one is backed up, since each holds everything.

    Args:
        steps: Who walks through them: the plan, or the run.
        backup: What is backed up, and where to.
    """
    steps.skip("1", "Back up the config-drive partition of each node", "only the database is asked for")
    steps.skip("2", "Create the Ansible playbook", "what the role does to the database is done step by step")
    _record_password(steps, backup)
    back_up(steps, backup)  # step 3


def procedure_with_images(steps: Steps, whole: Whole) -> None:
    """Steps 1 to 3 with all that the role does in the third: the database, and the nodes.

    Args:
        steps: Who walks through them: the plan, or the run.
        whole: What is backed up, and where to.
    """
    backup, imaging = whole
    save_first(steps, imaging)  # steps 1 and 2
    _record_password(steps, backup)
    if imaging.request.availability == "rolling":
        take(steps, backup)  # step 3: the database
        make_images_in_turn(steps, imaging)
    else:
        with paused(steps, imaging):
            take(steps, backup)  # step 3: the database
            make_images(steps, imaging)
    prove_images(steps, imaging, backup.store, backup.name)
    prove_set(steps, backup)


def _record_password(steps: Steps, backup: Backup) -> None:
    answer = "a password that stays in this run's memory, and is root's in the database"
    steps.record_answer(
        "2a", "Retrieve the MySQL root password", backup.source.host, backup.source.password.question, answer
    )
