"""prepare-backup-node: "Installing and configuring an NFS server on the backup node", or the folder that takes images by SFTP.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", sections 1.2, 2.2 and
3.2, which are the same. Where a step departs from it, `prepare_backup_node.departures.toml` says so and why.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from blocks.site import BACKUP_NODE, UNDERCLOUD
from tasks.ansible.role import require_access
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.node.authorized_keys import authorize
from tasks.node.nfs_server import check_exported, close_folder, keep_exports, restore_exports
from tasks.runbooks.prepare_backup_node.preparation import NAME, Preparation, Request, look, make_image_folder

__all__ = ["NAME", "prepare_backup_node", "procedure"]
_BY_SFTP = "the site's store takes images by SFTP"


@runbook(NAME, hosts=lambda _site, _parameters: [UNDERCLOUD, BACKUP_NODE], timeout_s=3 * 3600)
def prepare_backup_node(
    site: Annotated[str, Field(min_length=1)],
    dry_run: bool = False,
    again: bool = False,
    role_timeout_s: Annotated[int, Field(ge=60, le=7200)] = 3600,
) -> Work[Preparation]:
    """Set up the backup node for images of the nodes: an NFS server with the vendor's Ansible role, or a folder for SFTP.

    Which of the two, and where, says `[store]` of the site file. What the node exported before stays exported.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        dry_run: Check everything and show the plan; change nothing.
        again: Run the Ansible role even where the folder is exported already.
        role_timeout_s: Seconds for the Ansible role.
    """
    return Work(
        look=partial(look, request=Request(role_timeout_s, again)), procedure=procedure, summary=lambda job: job.summary
    )


def procedure(steps: Steps, job: Preparation) -> None:
    """Steps 1 to 5, and what the role leaves wrong.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is prepared.
    """
    for finding in job.findings:
        steps.report_finding(finding)
    steps.skip("1", "Source the undercloud credentials", "the role asks nothing of the undercloud's API")
    if job.run is None:
        _by_sftp(steps, job)
        return
    undercloud, backup_node, settings = [job.undercloud], [job.backup_node], job.site.rear
    steps.step("2", "Create an inventory of the backup node", undercloud, job.files.write_inventory())
    steps.step("3", "Create the playbook", undercloud, job.files.write_playbook())
    if job.node.address:
        key = authorize(job.node.user, (job.public_key,))
        steps.step("4", "Copy the public SSH key to the backup node", backup_node, key)
    else:
        steps.skip("4", "Copy the public SSH key to the backup node", "it is the undercloud, where Ansible runs")
    access = require_access(
        [job.node], job.files.known_hosts, settings.ansible_user, settings.ansible_key, job.site.ssh.port
    )
    steps.step("4a", "See that Ansible gets in with it", undercloud, access)
    steps.step("5a", "Keep a copy of what the backup node exports", backup_node, keep_exports())
    role, name = job.role_step(), job.backup_node.name
    steps.step("5", "Configure the backup node", undercloud, role.change, results=role.recap)
    recap = role.recap_of(job.undercloud.name, name)
    steps.record_answer("5b", "Read the PLAY RECAP", job.backup_node, job.run.long.log, recap)
    steps.step("5c", "Export again what the role has taken away", backup_node, restore_exports(job.store.path))
    steps.step("5d", "Let nobody but root into the folder of the images", backup_node, close_folder(job.store.path))
    exported = check_exported(job.store.path, settings.nfs_clients)
    steps.step("5e", "See that the folder is exported", backup_node, exported)


def _by_sftp(steps: Steps, job: Preparation) -> None:
    steps.skip("2", "Create an inventory of the backup node", _BY_SFTP)
    steps.skip("3", "Create the playbook", _BY_SFTP)
    steps.skip("4", "Copy the public SSH key to the backup node", f"{_BY_SFTP}: install-rear brings a key of each node")
    steps.skip("5", "Configure the backup node", f"{_BY_SFTP}: sshd is there already")
    folder = make_image_folder(job.store, job.site.rear.sftp_user)
    steps.step("5f", "Make the folder that takes images by SFTP", [job.backup_node], folder)
