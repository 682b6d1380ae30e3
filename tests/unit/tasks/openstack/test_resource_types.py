"""Resource types that a cloud does not offer, or offers in name alone."""

from typing import Any

import pytest

from tasks.heat.templates import Example, StackFiles, choose_example
from tasks.openstack.resource_types import (
    MISSING,
    ResourceType,
    check_types,
    find_problems,
    parse_resource_type,
    types_to_look_up,
)

ALARM = "OS::Aodh::GnocchiAggregationByResourcesAlarm"
FINE = ResourceType("SUPPORTED")
OSP_8 = (
    *("OS::Heat::AutoScalingGroup", "OS::Heat::ScalingPolicy", "OS::Nova::Server", "OS::Cinder::Volume"),
    *("OS::Neutron::Port", "OS::Neutron::FloatingIP", "OS::Ceilometer::Alarm", "OS::Neutron::Pool"),
    *("OS::Neutron::HealthMonitor", "OS::Neutron::LoadBalancer", "OS::Neutron::PoolMember"),
)


def stack(*types: str, **more: Any) -> StackFiles:
    resources = {f"r{number}": {"type": type_, **more} for number, type_ in enumerate(types)}
    return StackFiles({"heat_template_version": "2018-03-02", "resources": resources}, {}, {})


def test_a_template_that_the_cloud_offers_has_no_problem() -> None:
    assert find_problems(stack("OS::Nova::Server", ALARM), {"OS::Nova::Server": FINE, ALARM: FINE}) == []


def test_a_missing_type_is_refused_by_name_with_what_to_use_instead() -> None:
    (problem,) = find_problems(stack("OS::Neutron::Pool"), {ALARM: FINE})
    assert (problem.resource, problem.fault, problem.refuses) == ("r0", "missing", True)
    assert list(map(str, check_types("overcloud", [problem]))) == [
        "resource r0: OS::Neutron::Pool is not offered by this cloud (LBaaS v1 was removed from Neutron in Newton); use "
        "OS::Octavia::Pool; the vip is an OS::Octavia::LoadBalancer's"
    ]


def test_a_missing_type_that_nobody_has_advice_on_is_refused_all_the_same() -> None:
    (problem,) = find_problems(stack("My::Thing"), {})
    assert (problem.instead, problem.refuses) == ("", True)
    assert str(problem).endswith("or the user may not use it)")


@pytest.mark.parametrize("name", ["OS::Ceilometer::Alarm", "OS::Metering::Alarm", "OS::Aodh::Alarm"])
def test_the_old_alarm_is_refused_where_heat_is_newer(name: str) -> None:
    known = {name: ResourceType("DEPRECATED", "Theshold alarm relies on ceilometer-api."), ALARM: FINE}
    (problem,) = find_problems(stack(name), known)
    assert (problem.fault, problem.refuses) == ("fails at create", True)
    assert ALARM in problem.instead


def test_the_old_alarm_is_fine_on_osp_8() -> None:
    assert find_problems(stack("OS::Ceilometer::Alarm"), {"OS::Ceilometer::Alarm": FINE}) == []


def test_a_placeholder_is_told_from_a_hidden_type_that_still_works() -> None:
    name = "OS::Neutron::LBaaS::PoolMember"
    placeholder = {name: ResourceType("HIDDEN", "Use octavia instead.", has_no_properties=True)}
    (problem,) = find_problems(stack(name), placeholder)
    assert (problem.fault, problem.refuses) == ("placeholder", True)
    assert "Use octavia instead" in problem.why
    (problem,) = find_problems(stack(name), {name: ResourceType("HIDDEN", has_no_properties=False)})
    assert (problem.fault, problem.refuses) == ("hidden", True)


def test_a_deprecated_type_is_a_warning() -> None:
    problems = find_problems(
        stack("OS::Glance::Image"), {"OS::Glance::Image": ResourceType("DEPRECATED", "Glance v1.")}
    )
    assert [problem.fault for problem in problems] == ["deprecated"]
    assert [check.ok for check in check_types("overcloud", problems)] == [True]


def test_what_is_made_on_a_condition_only_does_not_refuse() -> None:
    problems = find_problems(stack("OS::Neutron::FloatingIP", condition="outside"), {})
    assert [problem.fault for problem in problems] == ["missing"]
    assert "only if the resource's condition holds" in str(problems[0])
    assert [check.ok for check in check_types("overcloud", problems)] == [True]


def test_an_alias_of_the_environment_is_looked_through() -> None:
    aliased = StackFiles(
        {"resources": {"a": {"type": "My::Alarm"}}}, {"resource_registry": {"My::Alarm": "OS::Ceilometer::Alarm"}}, {}
    )
    (problem,) = find_problems(aliased, {"OS::Ceilometer::Alarm": FINE, ALARM: FINE})
    assert problem.type == "OS::Ceilometer::Alarm"


def test_the_osp_8_web_farm_is_refused_on_zed_resource_by_resource() -> None:
    farm = choose_example(Example.WEB_FARM, OSP_8).read()
    assert ALARM in types_to_look_up(farm)
    zed = {name: FINE for name in (*OSP_8, ALARM) if not name.startswith("OS::Neutron::")}
    zed |= dict.fromkeys(("OS::Neutron::Port", "OS::Neutron::FloatingIP"), FINE)
    found = {problem.resource: problem.fault for problem in find_problems(farm, zed)}
    assert found == {
        "cpu_alarm_high": "fails at create",
        "cpu_alarm_low": "fails at create",
        "pool": "missing",
        "lb": "missing",
        "monitor": "missing",
        "webserver > member > member": "missing",
    }


@pytest.mark.parametrize(
    ("document", "type_"),
    [
        ({"properties": {"a": {}}}, ResourceType("SUPPORTED")),
        (
            {"properties": {}, "support_status": {"status": "HIDDEN", "message": "Use octavia instead."}},
            ResourceType("HIDDEN", "Use octavia instead.", has_no_properties=True),
        ),
        (
            {"properties": {"a": {}}, "support_status": {"status": "SUPPORTED", "message": None}},
            ResourceType("SUPPORTED"),
        ),
    ],
)
def test_heat_s_answer_is_read(document: dict[str, Any], type_: ResourceType) -> None:
    assert parse_resource_type(document) == type_


def test_a_type_is_missing_unless_heat_says_otherwise() -> None:
    assert MISSING.status == "MISSING"
    assert find_problems(stack("OS::Nova::Server"), {"OS::Nova::Server": MISSING})[0].fault == "missing"
