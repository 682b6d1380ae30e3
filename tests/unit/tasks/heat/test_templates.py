"""The project's own Heat templates, the choice among them, and loading an operator's."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks.remote.errors import RunbookError
from tasks.heat.templates import (
    EXAMPLES,
    Era,
    Example,
    ExampleTemplate,
    ResourceUse,
    StackFiles,
    choose_example,
    read_template,
    required_types,
    resource_uses,
)

TODAY = frozenset(
    {
        *("OS::Heat::AutoScalingGroup", "OS::Heat::ScalingPolicy", "OS::Nova::Server", "OS::Cinder::Volume"),
        *("OS::Neutron::Port", "OS::Neutron::SecurityGroup", "OS::Neutron::FloatingIP"),
        *("OS::Aodh::GnocchiAggregationByResourcesAlarm", "OS::Octavia::LoadBalancer", "OS::Octavia::Listener"),
        *("OS::Octavia::Pool", "OS::Octavia::HealthMonitor", "OS::Octavia::PoolMember"),
    }
)
# Heat lists every alarm of Aodh wherever Aodh is.
NEWER = TODAY | {"OS::Aodh::PrometheusAlarm"}
OSP_8 = frozenset(
    {
        *("OS::Heat::AutoScalingGroup", "OS::Heat::ScalingPolicy", "OS::Nova::Server", "OS::Cinder::Volume"),
        *("OS::Neutron::Port", "OS::Neutron::FloatingIP", "OS::Ceilometer::Alarm", "OS::Neutron::Pool"),
        *("OS::Neutron::HealthMonitor", "OS::Neutron::LoadBalancer", "OS::Neutron::PoolMember"),
    }
)
ALL = [
    (Example.CPU_GROUP, TODAY, Era.TODAY),
    (Example.CPU_GROUP, TODAY - {"OS::Cinder::Volume"}, Era.TODAY),
    (Example.WEB_FARM, TODAY, Era.TODAY),
    (Example.CPU_GROUP, NEWER, Era.PROMETHEUS),
    (Example.CPU_GROUP, NEWER - {"OS::Cinder::Volume"}, Era.PROMETHEUS),
    (Example.WEB_FARM, NEWER, Era.PROMETHEUS),
    (Example.CPU_GROUP, OSP_8, Era.OSP_8),
    (Example.WEB_FARM, OSP_8, Era.OSP_8),
]


def choose(example: Example, offered: frozenset[str], era: Era) -> ExampleTemplate:
    """Choose on the cloud of an era: Gnocchi is there but where Prometheus is in its place."""
    return choose_example(example, offered, gnocchi=era is not Era.PROMETHEUS)


def resources(stack: StackFiles, type_: str) -> list[dict[str, Any]]:
    return [resource["properties"] for resource in stack.template["resources"].values() if resource["type"] == type_]


def defaults(stack: StackFiles) -> dict[str, Any]:
    return {name: parameter.get("default") for name, parameter in stack.template["parameters"].items()}


@pytest.mark.parametrize(("example", "offered", "era"), ALL)
def test_the_template_is_chosen_by_what_the_cloud_offers(example: Example, offered: frozenset[str], era: Era) -> None:
    chosen = choose(example, offered, era)
    assert chosen.era is era
    assert chosen.template.stem == example
    assert required_types(chosen.read()) <= offered


def test_prometheus_s_template_is_chosen_where_gnocchi_is_not_there_alone() -> None:
    assert choose_example(Example.CPU_GROUP, NEWER).era is Era.TODAY
    # For want of either, preflight says that Gnocchi is missing.
    assert choose_example(Example.CPU_GROUP, TODAY, gnocchi=False).era is Era.TODAY


def test_what_is_missing_of_prometheus_s_template_is_named_too() -> None:
    with pytest.raises(RunbookError) as refused:
        choose_example(Example.CPU_GROUP, NEWER - {"OS::Nova::Server"}, gnocchi=False)
    assert "Prometheus's misses OS::Nova::Server; today's misses OS::Nova::Server" in refused.value.message


def test_today_s_template_goes_before_osp_8_s() -> None:
    both = choose_example(Example.WEB_FARM, TODAY | OSP_8)
    assert both.era is Era.TODAY


def test_a_member_boots_from_a_volume_where_there_are_volumes() -> None:
    assert "OS::Cinder::Volume" in required_types(choose_example(Example.CPU_GROUP, TODAY).read())
    assert "OS::Cinder::Volume" not in required_types(
        choose_example(Example.CPU_GROUP, TODAY - {"OS::Cinder::Volume"}).read()
    )


def test_a_floating_address_is_not_needed_where_members_are_reached_without() -> None:
    assert choose_example(Example.WEB_FARM, TODAY - {"OS::Neutron::FloatingIP"}).era is Era.TODAY


def test_what_is_missing_is_named_for_both() -> None:
    with pytest.raises(RunbookError) as refused:
        choose_example(Example.WEB_FARM, TODAY - {"OS::Octavia::Pool"})
    assert "today's misses OS::Octavia::Pool;" in refused.value.message
    assert "OS::Neutron::LoadBalancer" in refused.value.message


def test_osp_8_s_alarm_is_not_taken_from_a_heat_that_knows_it_by_name_alone() -> None:
    offered = (OSP_8 | TODAY) - {"OS::Octavia::LoadBalancer"}
    with pytest.raises(RunbookError) as refused:
        choose_example(Example.WEB_FARM, offered)
    assert refused.value.message.endswith("today's misses OS::Octavia::LoadBalancer")


@pytest.mark.parametrize(("example", "offered", "era"), ALL)
def test_every_parameter_is_described_and_used(example: Example, offered: frozenset[str], era: Era) -> None:
    stack = choose(example, offered, era).read()
    used = set(_values_of("get_param", stack.template))
    for name, parameter in stack.template["parameters"].items():
        assert parameter["description"].strip(), name
        assert name in used, name
    assert used - set(stack.template["parameters"]) == {"OS::stack_id"}


def _values_of(key: str, node: object) -> Iterator[Any]:
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from _values_of(key, value)
    elif isinstance(node, list):
        for value in node:
            yield from _values_of(key, value)


@pytest.mark.parametrize(("example", "offered", "era"), ALL)
def test_the_documented_numbers_are_the_defaults(example: Example, offered: frozenset[str], era: Era) -> None:
    stack = choose(example, offered, era).read()
    seen = defaults(stack)
    assert (seen["min_size"], seen["max_size"], seen["cooldown"]) == (1, 3, 60)
    # The document polls once a minute: two polls, and one of Prometheus's scrapes.
    assert seen.get("granularity") == (None if era is Era.PROMETHEUS else 60)
    assert seen.get("rate_window") == (150 if era is Era.PROMETHEUS else None)
    percent = (50, 10) if example is Example.CPU_GROUP else (95, 15)
    unit = 60 * 10**9 // 100 if era is Era.TODAY else 1
    assert (seen["threshold_high"], seen["threshold_low"]) == (percent[0] * unit, percent[1] * unit)
    (group,) = resources(stack, "OS::Heat::AutoScalingGroup")
    assert group["cooldown"] == {"get_param": "cooldown"}
    assert sorted(policy["scaling_adjustment"] for policy in resources(stack, "OS::Heat::ScalingPolicy")) == [-1, 1]


@pytest.mark.parametrize(("example", "offered", "era"), ALL)
def test_both_alarms_are_scoped_to_the_members_that_carry_the_tag(
    example: Example, offered: frozenset[str], era: Era
) -> None:
    stack = choose(example, offered, era).read()
    (group,) = resources(stack, "OS::Heat::AutoScalingGroup")
    tags = group["resource"]["properties"]["metadata"]
    assert tags["metering.server_group"] == {"get_param": "OS::stack_id"}
    alarms = [
        resource["properties"] for resource in stack.template["resources"].values() if "Alarm" in resource["type"]
    ]
    assert [alarm["comparison_operator"] for alarm in alarms] == ["gt", "lt"]
    for alarm in alarms:
        if era is Era.TODAY:
            assert alarm["query"]["str_replace"]["template"] == '{"=": {"server_group": "STACK"}}'
            assert alarm["aggregation_method"] == "rate:mean"
        elif era is Era.PROMETHEUS:
            query = alarm["query"]["str_replace"]
            assert query["template"] == "avg(rate(ceilometer_cpu{server_group='STACK'}[WINDOWs])) / 10000000"
            assert query["params"] == {"STACK": {"get_param": "OS::stack_id"}, "WINDOW": {"get_param": "rate_window"}}
        else:
            ((field, value),) = alarm["matching_metadata"].items()
            assert "metering." + field.removeprefix("metadata.user_metadata.") in tags
            assert value == {"get_param": "OS::stack_id"}


# heat/engine/resources/openstack/aodh/alarm.py (PrometheusAlarm) and alarm_base.py of Heat 22 to 27.
PROMETHEUS_ALARM = {"comparison_operator", "query", "threshold", "description", "repeat_actions", "alarm_actions"}


@pytest.mark.parametrize("example", list(Example))
def test_prometheus_s_alarms_have_what_heat_s_schema_has(example: Example) -> None:
    stack = choose(example, NEWER, Era.PROMETHEUS).read()
    alarms = resources(stack, "OS::Aodh::PrometheusAlarm")
    assert [set(alarm) for alarm in alarms] == [PROMETHEUS_ALARM] * 2
    # What an operator can ask Prometheus by hand is what both alarms ask.
    (query,) = {alarm["query"]["str_replace"]["template"] for alarm in alarms}
    command = stack.template["outputs"]["ceilometer_query"]["value"]["str_replace"]
    assert command == alarms[0]["query"]["str_replace"] | {"template": f'openstack metric query "{query}"'}


@pytest.mark.parametrize("example", list(Example))
def test_all_but_the_alarms_is_the_same_whoever_keeps_the_measures(example: Example) -> None:
    stacks = [choose(example, NEWER, era).read() for era in (Era.PROMETHEUS, Era.TODAY)]
    one, other = (
        {name: each for name, each in stack.template["resources"].items() if "alarm" not in name} for stack in stacks
    )
    assert one == other
    assert len(one) > 3
    one, other = (stack.environment["resource_registry"] for stack in stacks)
    assert one == other


def test_a_joining_member_does_not_trip_today_s_alarm() -> None:
    for example in Example:
        assert defaults(choose_example(example, TODAY).read())["evaluation_periods"] == 2
        assert defaults(choose_example(example, OSP_8).read())["evaluation_periods"] == 1


@pytest.mark.parametrize(("offered", "era"), [(TODAY, Era.TODAY), (NEWER, Era.PROMETHEUS), (OSP_8, Era.OSP_8)])
def test_the_web_farm_has_the_documented_outputs(offered: frozenset[str], era: Era) -> None:
    outputs = choose(Example.WEB_FARM, offered, era).read().template["outputs"]
    documented = {"scale_up_url", "scale_dn_url", "pool_ip_address", "website_url", "ceilometer_query"}
    assert documented <= set(outputs)


@pytest.mark.parametrize("era", [Era.TODAY, Era.OSP_8])
def test_a_member_leaves_the_pool_before_its_server_goes(era: Era) -> None:
    stack = read_template(EXAMPLES / era / "web-member.yaml")
    members = [
        resource for resource in stack.template["resources"].values() if resource["type"].endswith("::PoolMember")
    ]
    assert [member["depends_on"] for member in members] == ["server"]


def test_every_resource_is_found_in_groups_and_nested_templates() -> None:
    found = resource_uses(choose_example(Example.CPU_GROUP, TODAY).read())
    assert ResourceUse("scaleup_group > member > server", "OS::Nova::Server", "OS::Nova::Server") in found
    floating = "OS::Neutron::FloatingIP"
    assert ResourceUse("scaleup_group > member > floating_ip", floating, floating, conditional=True) in found


MEMBER = """
heat_template_version: 2016-10-14
parameters: {{kind: {{type: string{default}}}}}
conditions: {{c: true}}
resources:
  group: {{type: OS::Heat::ResourceGroup, properties: {{count: 1, resource_def: {{type: {type}}}}}}}
"""


@pytest.mark.parametrize(
    ("default", "type_", "environment", "types"),
    [
        (", default: OS::Nova::Server", "{get_param: kind}", "", {"OS::Nova::Server": False}),
        (", default: A", "{get_param: [kind]}", "parameters: {kind: OS::Nova::Server}", {"OS::Nova::Server": False}),
        ("", "{get_param: kind}", "parameter_defaults: {kind: member.yaml}", {"member.yaml": False}),
        ("", "{get_param: kind}", "", {}),
        ("", "{str_replace: {template: A, params: {}}}", "", {}),
        ("", "{if: [c, OS::Nova::Server, OS::Heat::None]}", "", {"OS::Nova::Server": True, "OS::Heat::None": True}),
        (", default: A", "{if: [c, {get_param: kind}, {get_attr: [x]}]}", "", {"A": True}),
    ],
)
def test_the_type_of_a_member_may_be_a_parameter_s_or_hang_on_a_condition(
    written: Callable[[str, str], Path], default: str, type_: str, environment: str, types: dict[str, bool]
) -> None:
    stack = read_template(
        written("main.yaml", MEMBER.format(default=default, type=type_)), [written("env.yaml", environment + "\n")]
    )
    found = {use.type: use.conditional for use in resource_uses(stack) if use.path == "group > member"}
    assert found == types


TEMPLATE = """
heat_template_version: 2018-03-02
resources:
  one:
    type: {type}
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / "with space" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_an_operator_s_template_brings_the_files_that_it_names(written: Callable[[str, str], Path]) -> None:
    nested = written("nested.yaml", TEMPLATE.format(type="OS::Nova::Server"))
    script = written("boot.sh", "#!/bin/sh\n")
    text = TEMPLATE.format(type="nested.yaml") + "    properties: {user_data: {get_file: boot.sh}}\n"
    stack = read_template(written("main.yaml", text))
    assert set(stack.files) == {nested.as_uri(), script.as_uri()}
    assert stack.template["resources"]["one"]["type"] == nested.as_uri()
    assert stack.files[script.as_uri()] == "#!/bin/sh\n"
    assert resource_uses(stack) == [ResourceUse("one > one", "OS::Nova::Server", "OS::Nova::Server")]


def test_environment_files_are_merged_in_their_order(written: Callable[[str, str], Path]) -> None:
    written("server.yaml", TEMPLATE.format(type="OS::Nova::Server"))
    first = written("first.yaml", 'parameters: {a: 1, b: 1}\nresource_registry: {"My::Server": server.yaml}\n')
    second = written("second.yaml", "parameters: {b: 2}\n")
    stack = read_template(written("main.yaml", TEMPLATE.format(type="My::Server")), [first, second])
    assert stack.environment["parameters"] == {"a": 1, "b": 2}
    assert required_types(stack) == {"OS::Nova::Server"}


def test_a_registry_may_name_types_by_wildcard_or_for_one_resource(written: Callable[[str, str], Path]) -> None:
    main = written("main.yaml", TEMPLATE.format(type="OS::Quantum::Net"))
    every = written("every.yaml", 'resource_registry: {"OS::Quantum*": "OS::Neutron*"}\n')
    assert required_types(read_template(main, [every])) == {"OS::Neutron::Net"}
    here = written("here.yaml", 'resource_registry: {resources: {one: {"OS::Quantum::Net": "OS::Heat::None"}}}\n')
    assert required_types(read_template(main, [here])) == {"OS::Heat::None"}


def test_a_template_within_itself_does_not_go_on_for_ever(written: Callable[[str, str], Path]) -> None:
    main = written("main.yaml", TEMPLATE.format(type="My::Self"))
    registry = written("env.yaml", 'resource_registry: {"My::Self": main.yaml}\n')
    assert resource_uses(read_template(main, [registry])) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resources: {}\n", "version not found"),
        ("heat_template_version: [", "is not YAML"),
        ("- a list\n", "is no mapping"),
        (TEMPLATE.format(type="absent.yaml"), "Could not fetch"),
    ],
)
def test_what_is_no_template_is_refused_by_name(written: Callable[[str, str], Path], text: str, said: str) -> None:
    path = written("main.yaml", text)
    with pytest.raises(RunbookError, match=said) as refused:
        read_template(path)
    assert str(path) in refused.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunbookError, match="can't be read"):
        read_template(tmp_path / "absent.yaml")


def test_an_environment_with_a_strange_section_is_refused(written: Callable[[str, str], Path]) -> None:
    strange = written("strange.yaml", "sections: {}\n")
    with pytest.raises(RunbookError, match='wrong section "sections"'):
        read_template(written("main.yaml", TEMPLATE.format(type="OS::Nova::Server")), [strange])


def test_a_type_that_stands_for_no_template_is_refused(written: Callable[[str, str], Path]) -> None:
    written("notes.txt", "nothing\n")
    registry = written("env.yaml", 'resource_registry: {"My::Server": notes.txt}\n')
    stack = read_template(written("main.yaml", TEMPLATE.format(type="My::Server")), [registry])
    with pytest.raises(RunbookError, match="is no template"):
        resource_uses(stack)


def test_an_empty_file_and_a_binary_one_are_sent_as_text(written: Callable[[str, str], Path]) -> None:
    text = "heat_template_version: 2018-08-31\noutputs: {a: {value: {get_file: data}}}\n"
    file = written("template.yaml", text)
    (file.parent / "data").write_bytes(b"")
    assert list(read_template(file).files.values()) == [""]
    (file.parent / "data").write_bytes(b"\xff\xfe\x00")
    assert [b64decode(text) for text in read_template(file).files.values()] == [b"\xff\xfe\x00"]
