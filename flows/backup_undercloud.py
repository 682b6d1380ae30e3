"""backup-undercloud: "Creating a backup of the undercloud node": its database, and with `images` the node.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", section 1.5; without
`images` its steps 1 to 3. Where a step departs from it, `backup_undercloud.departures.toml` says so and why.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from blocks.site import UNDERCLOUD
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.backup_undercloud.preflight import look, look_with_image
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.procedure import back_up, prove_set, take
from tasks.runbooks.database_backup.proof import conclude, hosts_of_backup
from tasks.runbooks.database_backup.request import Bounds, Request
from tasks.runbooks.node_images.imaging import UNDERCLOUD as UNDERCLOUD_NUMBERS
from tasks.runbooks.node_images.imaging import ImageRequest
from tasks.runbooks.node_images.making import create_images, paused, prove_images
from tasks.runbooks.node_images.whole import Whole

NAME = "backup-undercloud"
_CONTENT: list[Literal["database"]] = ["database"]


@runbook(NAME, hosts=lambda site, _: hosts_of_backup(UNDERCLOUD, site), timeout_s=48 * 3600)
def backup_undercloud(
    site: Annotated[str, Field(min_length=1)],
    content: Annotated[list[Literal["database"]], Field(min_length=1)] = _CONTENT,
    methods: Annotated[list[Literal["logical", "physical"]], Field(min_length=1)] | None = None,
    documented_file: bool = False,
    dry_run: bool = False,
    wait_s: Annotated[int, Field(ge=0, le=86400)] = 14400,
    transfer_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 14400,
    hash_timeout_s: Annotated[int, Field(ge=0, le=86400)] = 3600,
    hash_at_most_mib: Annotated[int, Field(ge=0, le=2**24)] = 65536,
    images: bool = False,
    image_timeout_s: Annotated[int, Field(ge=300, le=86400)] = 21600,
    start_timeout_s: Annotated[int, Field(ge=60, le=7200)] = 900,
) -> Work[Backup] | Work[Whole]:
    """Back up the undercloud's database to the site's store, and prove it by restoring it.

    With `images`, the undercloud itself as well: its containers are paused meanwhile.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        content: What of the undercloud is backed up.
        methods: `logical`, a dump; `physical`, a copy of its files as well. Empty: both, where the image can copy.
        documented_file: Write /root/undercloud-all-databases.sql on the undercloud, too.
        dry_run: Check everything and show the plan; change nothing.
        wait_s: Seconds to wait while another runbook is at work on the site; 0 refuses at once.
        transfer_timeout_s: Seconds for a dump, and for a physical copy, to reach the store.
        hash_timeout_s: Seconds after which no table's content is hashed any more; what is not hashed is not verified.
        hash_at_most_mib: Size in MiB above which a table's content is not hashed.
        images: Make an image of the undercloud with ReaR, too. Nobody has proven these by a restore yet: off by default.
        image_timeout_s: Seconds for ReaR, and for the image to be read on the store.
        start_timeout_s: Seconds until all runs again that ran before.
    """
    bounds = Bounds(transfer_timeout_s, hash_timeout_s, hash_at_most_mib * 1024**2, 0)
    request = Request(NAME, tuple(methods) if methods else None, documented_file, bounds)
    if images:
        wanted = ImageRequest(NAME, (UNDERCLOUD,), image_timeout_s, start_timeout_s, numbers=UNDERCLOUD_NUMBERS)
        return Work(
            look=partial(look_with_image, request=request, image=wanted),
            procedure=procedure_with_image,
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
    """Steps 1 to 3; those after it make the image of the whole node.

    Args:
        steps: Who walks through them: the plan, or the run.
        backup: What is backed up, and where to.
    """
    _record_answers(steps, backup)
    back_up(steps, backup)  # step 3


def procedure_with_image(steps: Steps, whole: Whole) -> None:
    """Steps 1 to 6: the database as documented, while everything runs; then all that the role does in the sixth.

    Args:
        steps: Who walks through them: the plan, or the run.
        whole: What is backed up, and where to.
    """
    backup, imaging = whole
    _record_answers(steps, backup)
    take(steps, backup)  # step 3
    steps.skip("4", "Source the undercloud credentials", "the role asks nothing of the API")
    steps.skip("5", "Create the Ansible playbook", "what the role does is done step by step")
    with paused(steps, imaging):
        create_images(steps, imaging)  # step 6
    prove_images(steps, imaging, backup.store, backup.name)
    prove_set(steps, backup)


def _record_answers(steps: Steps, backup: Backup) -> None:
    host, password = backup.source.host, backup.source.password
    answer = "a password that stays in this run's memory, and is root's in the database"
    steps.record_answer("1", "Log in to the undercloud", host, "ssh", f"as {host.name} is reached by every runbook")
    steps.record_answer("2", "Retrieve the MySQL root password", host, password.question, answer)
