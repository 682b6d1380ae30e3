"""What one deployment of a stack is made from: template, parameters, and what preflight found in the cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import UNRESTRICTED, NotFound, RequestRejected
from blocks.remote.errors import Refused, RunbookError
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.heat.environments import hooked_resources
from tasks.heat.planning import StackPlan, plan_recreation, plan_stack
from tasks.heat.preview import merged_by_heat, offered_types, validate_template
from tasks.heat.source import StackSource
from tasks.heat.stack import find_stack, read_resources
from tasks.heat.templates import (
    Era,
    Example,
    ExampleTemplate,
    StackFiles,
    choose_example,
    parameter_values,
    read_template,
)
from tasks.openstack import resource_types
from tasks.openstack.resource_types import MISSING, ResourceType, parse_resource_type
from tasks.runbooks.deploy_stack.preflight import Needs, check_needs, check_numbers, check_parameters
from tasks.telemetry.thresholds import threshold_ns, threshold_of_one_vcpu, threshold_percent

# What the document compares with, in percent of all vCPUs of a member: AS 1.2 step 3, AS 1.3 step 2.
DOCUMENT_PERCENT: Mapping[Example, tuple[float, float]] = {Example.CPU_GROUP: (50, 10), Example.WEB_FARM: (95, 15)}
# No API tells a project what Prometheus keeps. Labels: sg-core, plugins/handler/ceilometer-metrics; Ceilometer,
# ceilometer/polling/prom_exporter.py (with server_group since 2025.1) and ceilometer/publisher/prometheus.py.
_PROMETHEUS_UNSEEN = (
    "Gnocchi is not there, so the alarms ask Prometheus for ceilometer_cpu of the members by their label server_group. Whether "
    "Prometheus has it, nothing here can see: sg-core and Ceilometer's own exporter (2025.1 and newer) write it so, the publisher "
    "prometheus:// (to a Pushgateway, as kolla-ansible's) does not. Where it is missing both alarms stay at `insufficient data`"
)


@dataclass(frozen=True)
class StackRequest:
    """What the operator asks for.

    Attributes:
        template: `cpu-group`, `web-farm`, or the path of a template on the worker's machine.
        environments: Paths of environment files.
        parameters: Of the stack.
        stack_name: The stack's name.
        high: Percent of all vCPUs of a member above which members are added; None for the document's.
        low: Percent below which members are removed; None for the document's.
    """

    template: str
    environments: Sequence[str]
    parameters: Mapping[str, Any]
    stack_name: str
    high: float | None = None
    low: float | None = None

    @property
    def example(self) -> Example | None:
        """Which of the document's examples it is; None for a template of the operator's own."""
        return Example(self.template) if self.template in tuple(Example) else None


@dataclass(frozen=True)
class StackDeployment:
    """What is deployed where.

    Attributes:
        cloud: The place of the steps.
        request: What the operator asked for.
        source: What Heat is sent.
        plan: What that will do.
        chosen: Which of the project's own templates it is; None for an operator's own.
    """

    cloud: Cloud
    request: StackRequest
    source: StackSource
    plan: StackPlan
    chosen: ExampleTemplate | None

    @property
    def parameters(self) -> dict[str, Any]:
        """The stack's parameters with their values, as Heat counts them: the operator's own, else the environment's."""
        return parameter_values(self.source.stack.template, self.source.environment)

    @property
    def files(self) -> list[tuple[str, str, str, str]]:
        """Steps 1 to 3 of AS 1.2 (1 and 2 of 1.3): number, sentence, file, what it says."""
        template = self.chosen.template if self.chosen else Path(self.request.template)
        environments = [*([self.chosen.environment] if self.chosen else []), *map(Path, self.request.environments)]
        named = ", ".join(str(path) for path in environments) or "none"
        registry = self.source.stack.environment.get("resource_registry") or {}
        members = ", ".join(
            f"{name} is {Path(str(file)).name}" for name, file in registry.items() if name != "resources"
        )
        return [
            ("1", "Create the environment template", named, f"{len(self.source.stack.files)} files that Heat is sent"),
            ("2", "Register the Orchestration resource", named, members or "nothing is registered"),
            (
                "3",
                "Create the stack template",
                str(template),
                str(self.source.stack.template.get("description", "")).strip(),
            ),
        ]


def cloud_of_site(run: Run) -> Cloud:
    """Return the run's client of the site's cloud.

    Raises:
        Refused: The site has none.
    """
    if run.cloud is None:
        hint = "add [cloud] with its name in clouds.yaml to the site file"
        run.checks.append(Check("cloud", "", "none", f"site {run.site.site} names no cloud", hint))
        raise Refused(run.name, run.reasons)
    return run.cloud


def look(run: Run, request: StackRequest) -> StackDeployment:
    """Look at the template and at the cloud, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        request: What is asked for.

    Raises:
        Refused: With every reason.
    """
    cloud = cloud_of_site(run)
    try:
        job = plan_deployment(run, cloud, request)
    except Refused:
        raise
    except RunbookError as error:
        run.checks += Check.of(error, "stack")
        run.refuse_if_any()
        raise
    run.refuse_if_any()
    return job


def plan_deployment(run: Run, cloud: Cloud, request: StackRequest, recreate: bool = False) -> StackDeployment:
    """Read the template and look at what it asks of the cloud.

    Args:
        run: The run.
        cloud: Where.
        request: What is asked for.
        recreate: Whether a stack of that name will be removed before.

    Raises:
        Refused: With every reason.
        RunbookError: The template can't be read; the cloud can't be asked.
    """
    chosen: ExampleTemplate | None = None
    if request.example is not None:
        chosen = choose_example(request.example, offered_types(cloud), gnocchi=cloud.offers("metric"))
        files = read_template(chosen.template, [chosen.environment, *map(Path, request.environments)])
        if chosen.era is Era.PROMETHEUS:
            run.report_finding(_PROMETHEUS_UNSEEN)
    else:
        files = read_template(Path(request.template), [Path(path) for path in request.environments])
    given = dict(request.parameters)
    StackSource(files, given).register_secrets()
    source = _as_heat_merges(cloud, StackSource(files, given))
    files = source.stack
    problems = resource_types.find_problems(files, read_types(cloud, files))
    run.checks += resource_types.check_types(cloud.name, problems)
    for problem in problems:
        if not problem.refuses:
            run.report_finding(str(problem))
    if hooked := hooked_resources(files.environment):
        run.report_finding(
            f"Heat will wait at {', '.join(hooked)} until somebody clears the hook (`openstack stack hook clear "
            f"{request.stack_name} RESOURCE`), at most until the timeout"
        )
    values_given = parameter_values({}, source.environment)
    values = parameter_values(files.template, source.environment)
    if chosen is not None and request.example is not None:
        run.checks += check_numbers(values)
        run.refuse_if_any()
        run.checks += check_needs(cloud, _needs(cloud, request, chosen, values))
        run.refuse_if_any()
        given |= thresholds(cloud, request, chosen.era, values, values_given)
    source = StackSource(files, given)
    if not run.reasons:  # Heat's own words on what is refused already would only repeat it
        missing = validate_template(cloud, source)
        run.checks += check_parameters(missing)
    run.refuse_if_any()
    plan = plan_recreation(cloud, source) if recreate else plan_stack(cloud, request.stack_name, source)
    run.checks += _check_trust(cloud, plan)
    run.refuse_if_any()
    return StackDeployment(cloud, request, source, plan, chosen)


def _check_trust(cloud: Cloud, plan: StackPlan) -> list[Check]:
    """Heat may make the trust that a new stack needs; one that stands has its own."""
    if plan.action != "create" or not cloud.restricted:
        return []
    reason = (
        "the application credential of clouds.yaml is restricted, and Heat could not make the trust of a stack with it"
    )
    return [Check("application credential", cloud.name, "restricted", reason, UNRESTRICTED)]


def read_types(cloud: Cloud, files: StackFiles) -> dict[str, ResourceType]:
    """Ask Heat for every type that a template uses; one that it does not know is MISSING.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    known: dict[str, ResourceType] = {}
    for name in sorted(resource_types.types_to_look_up(files)):
        try:
            answer = cloud.get(f"look at resource type {name}", "orchestration", f"/resource_types/{name}")
        except NotFound:
            known[name] = MISSING
        except RequestRejected as error:  # Heat knows it, and can't make it here for want of the service behind it
            known[name] = replace(MISSING, message=error.detail)
        else:
            known[name] = parse_resource_type(answer)
    return known


def _as_heat_merges(cloud: Cloud, source: StackSource) -> StackSource:
    """The source with its environment as Heat merges it; as it was merged here where Heat does not tell, or refuses.

    Why it refuses, what is looked at afterwards says in better words, or Heat's own validation.
    """
    try:
        return merged_by_heat(cloud, source) or source
    except RequestRejected:
        return source


def _needs(cloud: Cloud, request: StackRequest, chosen: ExampleTemplate, values: Mapping[str, Any]) -> Needs:
    """What the project's own templates ask of the cloud, less what an earlier deployment has made already."""
    web, today = request.example is Example.WEB_FARM, chosen.era is not Era.OSP_8
    telemetry = {Era.TODAY: ("metric", "alarming"), Era.PROMETHEUS: ("alarming",), Era.OSP_8: ()}[chosen.era]
    there = count_servers(cloud, request.stack_name)
    members = max(0, int(values.get("max_size", 3)) - there)
    new = there == 0
    floating = str(values.get("floating_network") or "")
    outside = str(values.get("external_network") or "") if web else ""
    volumes = members if chosen.environment.name == "environment.yaml" and not web and today else 0
    subnet = values.get("subnet") or values.get("subnet_id")
    return Needs(
        members=members,
        flavor=str(values.get("flavor", "")),
        image=str(values.get("image", "")),
        key_name=str(values.get("key_name") or ""),
        networks=(str(values.get("network", "")),),
        subnets=(str(subnet),) if web and subnet else (),
        external_network=floating or outside,
        services=("orchestration", *telemetry),
        ports=members + (1 if web and new else 0),
        floating_ips=(members if floating else 0) + (1 if outside and new else 0),
        new_security_groups=1 if today and new else 0,
        load_balancers=1 if web and today and new else 0,
        volumes=volumes,
        volume_gib=volumes,
        granularity_s=float(values.get("granularity", 60)),
    )


def count_servers(cloud: Cloud, name: str) -> int:
    """How many servers a stack has; none where it is not there.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    stack = find_stack(cloud, name)
    if stack is None:
        return 0
    return sum(resource.type == "OS::Nova::Server" for resource in read_resources(cloud, stack))


def threshold_percents(request: StackRequest) -> tuple[float, float]:
    """The high and the low threshold in percent of all vCPUs of a member: asked for, or the document's."""
    high, low = DOCUMENT_PERCENT[request.example or Example.CPU_GROUP]
    return high if request.high is None else request.high, low if request.low is None else request.low


def thresholds(
    cloud: Cloud, request: StackRequest, era: Era, values: Mapping[str, Any], values_given: Mapping[str, Any]
) -> dict[str, float]:
    """The alarms' thresholds by the members' flavor, where the operator has not said numbers of his own.

    Args:
        cloud: Where the flavor is.
        request: With the percentages.
        era: Of the template: the unit that its alarms compare in.
        values: Of all parameters.
        values_given: Of those that are not the template's defaults: from environment files, and the operator's own.
    """
    asked = zip(("threshold_high", "threshold_low"), threshold_percents(request), strict=True)
    percents = {name: percent for name, percent in asked if name not in values_given}
    if era is Era.OSP_8:
        return {name: threshold_percent(percent) for name, percent in percents.items()}
    with cloud.request("read the members' flavor") as sdk:
        vcpus = int(sdk.compute.find_flavor(str(values["flavor"]), ignore_missing=False).vcpus)
    if era is Era.PROMETHEUS:
        return {name: threshold_of_one_vcpu(percent, vcpus) for name, percent in percents.items()}
    return {name: threshold_ns(percent, vcpus, float(values["granularity"])) for name, percent in percents.items()}
