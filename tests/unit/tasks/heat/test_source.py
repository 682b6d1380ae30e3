"""Parameters join the environment, and what Heat holds is recognised however its values travelled."""

import pytest

from blocks.remote.secrets import mask
from tasks.heat.source import StackSource
from tasks.heat.templates import StackFiles

FILES = StackFiles({"resources": {"a": {"type": "X"}}}, {"parameters": {"size": 1, "key": "k"}}, {"file:///a": "text"})


def test_parameters_count_before_those_of_the_environment() -> None:
    source = StackSource(FILES, {"size": 3})
    assert source.body["environment"] == {"parameters": {"size": 3, "key": "k"}}
    assert FILES.environment == {"parameters": {"size": 1, "key": "k"}}  # not written into


def test_an_environment_may_be_empty() -> None:
    assert StackSource(StackFiles({}, {}, {})).body == {"template": {}, "environment": {"parameters": {}}, "files": {}}


@pytest.mark.parametrize(
    "environment",
    [
        {"parameters": {"size": "1", "key": "k"}},
        {"parameters": {"key": "k", "size": 1}, "parameter_defaults": {}, "resource_registry": {"resources": {}}},
        {
            "parameters": {"size": 1, "key": "k"},
            "parameter_defaults": None,
            "event_sinks": [],
            "encrypted_param_names": [],
        },
        {"parameters": {"size": 1, "key": "k"}, "resource_registry": {"file:///a": "file:///a", "resources": {}}},
    ],
)
def test_what_heat_adds_makes_no_difference(environment: dict[str, object]) -> None:
    assert StackSource(FILES).matches(FILES.template, environment, FILES.files)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"parameters": {"size": 1}},
        {"parameters": {"size": 1, "key": "k", "more": ""}},
        {"parameters": {"size": 1, "key": "k"}, "resource_registry": {"resources": {"a": {"X": "Y"}}}},
    ],
)
def test_what_an_operator_would_notice_does(environment: dict[str, object]) -> None:
    assert not StackSource(FILES).matches(FILES.template, environment, FILES.files)


def test_the_order_of_a_list_counts() -> None:
    template, other = ({"outputs": {"a": {"value": values}}} for values in ([1, 2], [2, 1]))
    assert not StackSource(StackFiles(template, {}, {})).matches(other, {}, {})


@pytest.mark.parametrize("hidden", [True, "true"])
@pytest.mark.parametrize("given", [{"parameters": {"x": "pa55word"}}, {"parameter_defaults": {"x": "pa55word"}}, {}])
def test_the_value_of_a_hidden_parameter_is_masked_wherever_it_stands(hidden: object, given: dict[str, object]) -> None:
    template = {"parameters": {"x": {"hidden": hidden, "default": "0ther"}, "y": {"default": "seen"}}}
    source = StackSource(StackFiles(template, given, {}), {} if given else {"x": "pa55word"})
    source.register_secrets()
    assert "pa55word" not in mask("an output says pa55word")
    assert "0ther" not in mask("and 0ther")
    assert mask("what is seen") == "what is seen"


def test_the_parameter_of_a_cloudformation_template_is_masked_too() -> None:
    StackSource(StackFiles({"Parameters": {"x": {"NoEcho": "true"}}}, {}, {}), {"x": "pa55word"}).register_secrets()
    assert "pa55word" not in mask("pa55word")
