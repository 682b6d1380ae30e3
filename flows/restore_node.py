"""restore-node: "Restoring the undercloud node" and "Restoring the control plane nodes" from their ReaR images, step by step.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", sections 4.2 and 4.3.
The numbers are those of 4.3; 4.2 has its steps 1 to 4 and 6. Where a step departs from them, `restore_node.departures.toml` says
so and why.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from pydantic import Field, StringConstraints

from blocks.constraints import HostName, RoleName
from blocks.remote.bmc import Bmc
from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.engine.plan import plan_of
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.node import consistency, ironic, own_system, power
from tasks.node.tripleo_services import Services, check_running
from tasks.rear.finishing import power_off, restore_config_drive
from tasks.rear.other_disks import protect_other_disks
from tasks.rear.recovering import recover
from tasks.rear.rescue import check_rescue, wait_for_rescue
from tasks.rear.stored_images import compare_images
from tasks.runbooks.restore_node.job import NAME, Job, Node, Request, hosts_of_restore
from tasks.runbooks.restore_node.preflight import look

__all__ = ["NAME", "procedure", "restore_node"]
_CONTROLLER = ["Controller"]
_NOBODY: list[str] = []
_NOTHING: list[consistency.Repair] = []
_NO_DISKS: dict[str, list[str]] = {}
_NO_IRONIC = "no Ironic of the undercloud manages them, or they are in maintenance"
# What a rescue system gets to shut down.
_SHUTDOWN_S = 90
DiskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]+$", max_length=128)]


@runbook(NAME, hosts=hosts_of_restore, timeout_s=24 * 3600)
def restore_node(
    site: Annotated[str, Field(min_length=1)],
    nodes: list[HostName] = _NOBODY,
    roles: Annotated[list[RoleName], Field(min_length=1)] = _CONTROLLER,
    image: Annotated[str, Field(pattern=r"^[0-9TZ:-]*$")] = "",
    reason: str = "",
    even_if_up: bool = False,
    disks: dict[HostName, list[DiskId]] = _NO_DISKS,
    repair: list[consistency.Repair] = _NOTHING,
    dry_run: bool = False,
    approved_by: str | None = None,
    compare_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 14400,
    bmc_timeout_s: Annotated[int, Field(ge=30, le=3600)] = 300,
    rescue_timeout_s: Annotated[int, Field(ge=60, le=14400)] = 1800,
    console_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 14400,
    recover_timeout_s: Annotated[int, Field(ge=300, le=86400)] = 28800,
    start_timeout_s: Annotated[int, Field(ge=60, le=14400)] = 1800,
    consistency_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 3600,
) -> Work[Job]:
    """Restore nodes from their ReaR images: all of the control plane, one of it, or the undercloud. Their disks are erased.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        nodes: Hosts of the control plane, or `undercloud`. Empty: all of the control plane, as documented.
        roles: Roles of the inventory that make up the control plane.
        image: The beginning of the images' time, such as 2026-11-27T02. Empty: the latest whole image of each node.
        reason: Why not all nodes of the control plane are restored: then its state is not that of one moment.
        even_if_up: Restore a node that still answers; what is on its disk is lost.
        disks: Host → WWN or serial number of disks that may be erased, where one was replaced and others are beside it.
        repair: What is repaired where it differs afterwards: `ovn`, `allocations`, `orphaned-allocations`, `cells`.
        dry_run: Check everything and show the plan; change nothing.
        approved_by: Who has approved. Empty: the run pauses and asks for the node's name; for the site's, where there are several.
        compare_timeout_s: Seconds for an image on the store to be compared with its sums.
        bmc_timeout_s: Seconds until a BMC says that something is as it was told.
        rescue_timeout_s: Seconds until the rescue system answers.
        console_timeout_s: Seconds for what must be done at a console, where a node has no BMC in the site file.
        recover_timeout_s: Seconds for `rear recover`.
        start_timeout_s: Seconds until a restored node answers, until its services run, and until the cluster is whole.
        consistency_timeout_s: Seconds for each comparison of what must agree afterwards, and for each repair.
    """
    to_rescue = (compare_timeout_s, bmc_timeout_s, rescue_timeout_s, console_timeout_s)
    to_end = (recover_timeout_s, start_timeout_s, consistency_timeout_s)
    erasable = {host: tuple(ids) for host, ids in disks.items()}
    asked = (tuple(dict.fromkeys(nodes)), tuple(dict.fromkeys(roles)), image, reason, even_if_up, erasable)
    request = Request(*asked, *to_rescue, *to_end, repair=tuple(dict.fromkeys(repair)))
    return Work(
        look=partial(look, request=request, order=lambda job: plan_of(procedure, job).numbers),
        procedure=procedure,
        summary=lambda job: job.summary,
        destroys=lambda job: job.destroyed,
        approve_node=lambda job: job.approve_node,
        take_up=lambda job: job.resume.take_up,
    )


def procedure(steps: Steps, job: Job) -> None:
    """All steps, in the order in which they are taken.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What is restored.
    """
    for finding in job.findings:
        steps.report_finding(finding)
    images = [node.image for node in job.nodes]
    compare = compare_images(job.root, images, job.request.compare_s)
    steps.step("0", "Compare the images on the store with their sums", [job.store], compare)
    maintenance = ironic.set_maintenance(job.site.rear.ansible_user, job.ironic)
    _step(steps, "0a", "Set maintenance in Ironic", _ironic(job), maintenance, _NO_IRONIC, raises=job.maintenance)
    _boot_rescue_systems(steps, job)
    _recover(steps, job)
    _boot_from_disk(steps, job)
    _look_after(steps, job)


def _ironic(job: Job) -> list[Shell]:
    return [job.undercloud] if job.undercloud is not None and job.ironic else []


def _bmcs(nodes: list[Node]) -> list[Bmc]:
    return [node.bmc for node in nodes if node.bmc is not None]


def _step(
    steps: Steps, number: str, sentence: str, on: list[Bmc] | list[Shell], do: object, why: str, **more: object
) -> None:
    """Take a step where there is somebody to take it on; say why not where there is nobody."""
    if on:
        steps.step(number, sentence, on, do, **more)  # type: ignore[arg-type]
    else:
        steps.skip(number, sentence, why)


def _boot_rescue_systems(steps: Steps, job: Job) -> None:
    """Steps 1 to 3: each node is off, boots its ISO, and its rescue system lets root in."""
    request, by_bmc = job.request, {node.bmc.name: node for node in job.nodes if node.bmc is not None}
    bmcs = _bmcs(job.to_boot)
    by_name = {node.name: node for node in job.nodes}
    consoles = [node.rescue for node in job.to_boot if node.bmc is None]
    there = "each node is in its rescue system already, or has no BMC in the site file"

    def insert(bmc: Bmc) -> Change[Bmc]:
        return power.insert_iso(by_bmc[bmc.name].iso_url, request.bmc_s)

    def await_rescue(within_s: float, shell: Shell) -> Change:
        return wait_for_rescue(by_name[shell.name].image, within_s)

    _step(steps, "1", "Power off the nodes", bmcs, power.power_off(request.bmc_s), there, raises=job.off)
    _step(steps, "2.1", "Insert the ISO", bmcs, insert, there)
    _step(steps, "2.2", "Have the next boot be from it", bmcs, power.boot_from_cd(request.bmc_s), there)
    _step(steps, "2.3", "Boot the nodes with their ISOs", bmcs, power.power_on(request.bmc_s), there)
    sentence = "At the console: power off the node, boot its ISO, select Recover"
    _step(
        steps,
        "2.4",
        sentence,
        consoles,
        partial(await_rescue, request.console_s),
        "each node has a BMC in the site file",
    )
    rescues = [node.rescue for node in job.nodes]
    _step(steps, "3", "Wait for the rescue systems", rescues, partial(await_rescue, request.rescue_s), "there are none")
    # Some BMCs boot "once" for ever. From here on no node boots its ISO a second time.
    on, disk = _bmcs(list(job.nodes)), power.boot_from_disk(request.bmc_s)
    _step(steps, "3a", "Have any further boot be from the disk", on, disk, "no node has a BMC in the site file")


def _recover(steps: Steps, job: Job) -> None:
    """Steps 4 and 5: what is erased is looked at once more, then restored."""
    request, by_name = job.request, {node.name: node for node in job.nodes}
    rescues = [node.rescue for node in job.nodes]

    def check(shell: Shell) -> Change:
        node = by_name[shell.name]
        return check_rescue(node.image, request.disks_of(node.name), node.bmc_uuid)

    def write(shell: Shell) -> Change:
        return restore_config_drive(by_name[shell.name].image.config_drive, request.bmc_s)

    sentence = "See that image, machine and disks belong together"
    _step(steps, "3b", sentence, rescues, check, "there are none")
    _step(steps, "3c", "Protect all other disks", rescues, protect_other_disks(), "there are none")
    _step(steps, "4", "Restore the nodes", rescues, recover(request.recover_s), "there are none", raises=job.erased)
    drives = [node.rescue for node in job.with_config_drive]
    _step(steps, "5", "Restore the config-drive partition", drives, write, "no image of a Controller has one")


def _boot_from_disk(steps: Steps, job: Job) -> None:
    """Steps 6 and 7: the nodes go off, lose their ISOs, and boot what was restored."""
    request, bmcs = job.request, _bmcs(job.with_bmc)
    none, every = "no node has a BMC in the site file", "each node has a BMC in the site file"
    still = job.in_rescue_still
    booted = "somebody has booted each from its disk already"
    _step(steps, "6", "Power off the nodes", [node.rescue for node in still], power_off(), booted)
    # Some eject a medium only once the node is off.
    off = power.await_power_off(_SHUTDOWN_S, request.bmc_s)
    _step(steps, "6a", "See that they are off", _bmcs(still), off, f"{none}, or {booted}")
    _step(steps, "7", "Set the boot sequence to the disk", bmcs, power.boot_from_disk(request.bmc_s), none)
    _step(steps, "7a", "Eject the ISO", bmcs, power.eject_iso(request.bmc_s), none)
    _step(steps, "7b", "Power on the nodes", bmcs, power.power_on(request.bmc_s), none)
    consoles = [node.own for node in job.without_bmc]
    sentence = "At the console: take the ISO out, set the boot sequence to the disk, power on"
    _step(steps, "7c", sentence, consoles, own_system.wait_until_booted(request.console_s), every)
    own = [node.own for node in job.nodes]
    answers = own_system.wait_until_booted(request.start_s)
    _step(steps, "7d", "Wait until the nodes answer as before", own, answers, "there are none", lifts=job.erased)


def _look_after(steps: Steps, job: Job) -> None:
    """Steps 7e to 9: what ran runs again, and the cluster is whole."""
    request, by_name = job.request, {node.name: node for node in job.nodes}
    with_units = [node.own for node in job.nodes if node.image.units]

    def check(shell: Shell) -> Change:
        return check_running(Services(units=by_name[shell.name].image.units), request.start_s)

    sentence = "See that the services run that ran when the image was made"
    _step(steps, "7e", sentence, with_units, check, "no service was recorded", lifts=job.off)
    ended = ironic.end_maintenance(job.site.rear.ansible_user, job.ironic)
    sentence = "End maintenance in Ironic"
    _step(steps, "7e.1", sentence, _ironic(job), ended, _NO_IRONIC, lifts=job.maintenance)
    sentence = "Check the status of Pacemaker"
    if job.cluster is None:
        for number, what in (("7f", "Wait until Pacemaker answers"), ("7g", "Clear standby"), ("8", sentence)):
            steps.skip(number, what, "the undercloud is no node of a cluster")
    else:
        _look_after_cluster(steps, job, job.cluster, sentence)
    _compare(steps, job)
    steps.skip("9", "Test the overcloud with tempest", "start check-site, then tempest as documented")


def _look_after_cluster(steps: Steps, job: Job, cluster: Shell, sentence: str) -> None:
    resource, within_s = job.site.database.resource, job.request.start_s
    whole = own_system.wait_for_cluster(resource, within_s)
    assert whole.until is not None, "it is nothing but a wait"
    whole = replace(whole, until=replace(whole.until, hint=job.galera_set.hint))
    standby = own_system.clear_standby(resource, [node.name for node in job.nodes])
    steps.step("7f", "Wait until Pacemaker answers", [cluster], own_system.wait_for_pacemaker(within_s))
    steps.step("7g", "Clear standby", [cluster], standby)

    # An attempt that died in 8a to 8c has not seen it whole, though 8 comes before: it is looked at again each time.
    def first() -> None:
        steps.step("8", sentence, [cluster], whole, always=True)

    def instead() -> None:
        steps.step("8a", "Clear failed actions", [cluster], own_system.clean_up_failures(), always=True)
        steps.step("8b", "Clear failed fencing", [cluster], own_system.clean_up_fencing(), always=True)
        steps.step("8c", f"{sentence} again", [cluster], whole, always=True)

    steps.fall_back(first, instead, "the cluster is not whole by itself")


def _compare(steps: Steps, job: Job) -> None:
    """Steps 8d to 8g: what services have on record of each other is compared, and repaired where that was approved."""
    within_s = job.request.consistency_s
    for number, agreement in zip(("8d", "8e", "8f", "8g"), job.agreements, strict=True):
        asked = agreement.key in job.request.repair
        on = job.hosts_of(agreement.container)
        compare = consistency.compare(agreement, within_s, repaired_next=asked)
        _step(steps, number, f"Compare {agreement.subject}", on, compare, "nothing of the overcloud is restored")
        mend, why = consistency.repair(agreement, within_s), f"`repair` does not name {agreement.key}"
        _step(steps, f"{number}.1", f"Repair {agreement.subject}", on if asked else [], mend, why)
