"""install-rear: "Installing ReaR" on the undercloud or on control plane nodes, and "Configuring Open vSwitch (OVS) interfaces".

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", sections 1.3 and
1.4; 2.3 and 2.4, 3.3 and 3.4 are the same for the control plane, without a step 1 of their own. The numbers are those of 1.3 and
1.4. Where a step departs from them, `install_rear.departures.toml` says so and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from blocks.constraints import RoleName
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD, Site
from tasks.engine.change import Change
from tasks.engine.results import Results
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.node.authorized_keys import authorize
from tasks.rear import sftp
from tasks.rear.ceph_scripts import put_scripts
from tasks.rear.configuration import MENDED, NETWORK, UEFI, add_block, check_settings, close_files, remove_block
from tasks.rear.firmware import UEFI_LINES, install_tools
from tasks.rear.rescue_script import put_script
from tasks.rear.schedules import disable_lines, remove_own_job
from tasks.runbooks.install_rear.preflight import look
from tasks.runbooks.install_rear.request import NAME, Installation, Request

__all__ = ["NAME", "install_rear", "procedure"]
_CONTROLLER = ["Controller"]
_PACKAGES_WITHIN_S = 1800


def hosts(site: Site, parameters: Mapping[str, Any]) -> list[str]:
    """The undercloud, where Ansible runs; the nodes; and the backup node, where it must let them in."""
    roles = [str(role) for role in parameters.get("roles") or _CONTROLLER]
    by_sftp = site.store is not None and site.store.kind == "sftp"
    return [UNDERCLOUD, *roles, *([BACKUP_NODE] if by_sftp else [])]


@runbook(NAME, hosts=hosts, timeout_s=6 * 3600)
def install_rear(
    site: Annotated[str, Field(min_length=1)],
    roles: Annotated[list[RoleName], Field(min_length=1)] = _CONTROLLER,
    dry_run: bool = False,
    again: bool = False,
    disable_cron: bool = False,
    role_timeout_s: Annotated[int, Field(ge=60, le=7200)] = 3600,
) -> Work[Installation]:
    """Set up ReaR on the nodes of some roles with the vendor's Ansible role, and mend what that leaves wrong.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        roles: Roles of the inventory, such as ControllerOpenstack, Database, Messaging, Networker; or `undercloud`.
        dry_run: Check everything and show the plan; change nothing.
        again: Run the Ansible role even where ReaR is set up already.
        disable_cron: Make a comment of the crontab line of sections 2.6 and 3.6; without it, it is told.
        role_timeout_s: Seconds for the Ansible role.
    """
    request = Request(tuple(dict.fromkeys(roles)), role_timeout_s, again, disable_cron)
    return Work(look=partial(look, request=request), procedure=procedure, summary=lambda job: job.summary)


def procedure(steps: Steps, job: Installation) -> None:
    """Steps 1 to 4 of 1.3, what the role leaves wrong, and 1.4.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is set up.
    """
    for finding in job.findings:
        steps.report_finding(finding)
    undercloud, files = [job.undercloud], job.run.files
    steps.step("1", "Generate an inventory of the nodes", undercloud, files.write_inventory())
    steps.step("2", "Create the playbook", undercloud, files.write_playbook())
    role = job.role_step()
    steps.step("3", "Install ReaR on the nodes", undercloud, role.change, results=role.recap)
    for node in job.nodes:
        recap = role.recap_of(job.undercloud.name, node.name)
        steps.record_answer("3a", "Read the PLAY RECAP", node, job.run.long.log, recap)
    if job.backup_node is not None:
        _let_in_by_key(steps, job, job.backup_node)

    def mend(node: Shell) -> Change:
        return add_block(MENDED, job.wanted[node.name].mended)

    steps.step("3e", "Mend what the role leaves wrong", job.nodes, mend)
    steps.step("3f", "Remove the cron job of ReaR's own package", job.nodes, remove_own_job())
    if job.crontab and job.request.disable_cron:
        lines = disable_lines(job.site.rear.ansible_user, job.crontab)
        steps.step("3g", "Make a comment of the documented crontab line", undercloud, lines)

    def put(node: Shell) -> Change:
        return put_script(node.name, job.site.ssh.user_of(node.name))

    steps.step("3h", "Have images hold what a restore needs", job.nodes, put)
    if job.ceph_nodes:
        steps.step("3i", "Have a restore keep what Ceph monitors hold", job.ceph_nodes, put_scripts())
    if job.uefi_nodes:
        steps.step("4.1", "Install the tools for UEFI", job.uefi_nodes, install_tools(_PACKAGES_WITHIN_S))
        steps.step("4.2", "Enable UEFI backup", job.uefi_nodes, add_block(UEFI, UEFI_LINES))
    else:
        steps.skip("4.1", "Install the tools for UEFI", "no node has booted by UEFI")
        steps.skip("4.2", "Enable UEFI backup", "no node has booted by UEFI")
    _configure_network(steps, job)
    steps.step("V1", "Let nobody but root read ReaR's configuration", job.nodes, close_files())
    check = check_settings(lambda host: job.wanted[host])
    steps.step("V2", "See that ReaR reads all of it", job.nodes, check)


def _let_in_by_key(steps: Steps, job: Installation, backup_node: Shell) -> None:
    """A key of each node, in place of the documented password in the URL."""
    user = job.site.rear.sftp_user
    keys = Results("the public key", str, sftp.read_public_key)
    steps.step("3b", "Make a key for images by SFTP", job.nodes, sftp.make_key, results=keys)
    lines = tuple(keys.shown(node.name, sftp.restricted) for node in job.nodes)
    steps.step("3c", "Let the nodes in with it, for files alone", [backup_node], authorize(user, lines))
    configured = sftp.configure(user, job.store.host, job.sftp_known_hosts)
    steps.step("3d", "Have ssh use it, and the pinned host key", job.nodes, configured)
    steps.step("3d.1", "See that it gets in", job.nodes, sftp.require_login(user, job.store.host))


def _configure_network(steps: Steps, job: Installation) -> None:
    sentence = "Configure the rescue system's network"
    if not job.bridged_nodes:
        steps.skip("1.4", sentence, "no node has an address on an Open vSwitch bridge")
        return

    def configure(node: Shell) -> Change:
        lines = job.wanted[node.name].network_lines
        return add_block(NETWORK, lines) if lines else remove_block(NETWORK)

    steps.step("1.4", sentence, job.bridged_nodes, configure)
