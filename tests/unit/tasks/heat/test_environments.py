"""Environment files: their shape is looked at, what they name is read, and Heat merges them itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blocks.remote.errors import RunbookError
from blocks.remote.secrets import mask
from tasks.heat.environments import hooked_resources
from tasks.heat.source import StackSource
from tasks.heat.templates import read_template, resource_uses

TEMPLATE = """
heat_template_version: 2018-08-31
parameters: {release: {type: string}, networks: {type: comma_delimited_list}, tags: {type: json}}
resources: {one: {type: OS::Heat::RandomString}}
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., StackSource]:
    (tmp_path / "main.yaml").write_text(TEMPLATE)

    def read(*environments: str, **parameters: Any) -> StackSource:
        paths = [tmp_path / f"{number}.yaml" for number in range(len(environments))]
        for path, text in zip(paths, environments, strict=True):
            path.write_text(text)
        source = StackSource(read_template(tmp_path / "main.yaml", paths), parameters)
        json.dumps(source.body, allow_nan=False)
        return source

    return read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters:\n  - release: one\n", "section parameters is a list, and must be a mapping"),
        ("parameters: release=one\n", "section parameters is a text, and must be a mapping"),
        ("parameter_defaults: 7\n", "section parameter_defaults is a single value"),
        ("parameter_merge_strategies: [networks]\n", "section parameter_merge_strategies is a list"),
        ("resource_registry: [a.yaml]\n", "section resource_registry is a list"),
        ("event_sinks: {a: b}\n", "section event_sinks is no list"),
        ('resource_registry: {"My::Server": }\n', "resource_registry > My::Server is empty"),
        ('resource_registry: {"My::Server": ""}\n', "resource_registry > My::Server is empty"),
        ('resource_registry: {"My::Server": 7}\n', "resource_registry > My::Server is 7"),
        ("resource_registry: {resources: [a]}\n", "resource_registry > resources is no mapping"),
        ("resource_registry: {resources: {one: a.yaml}}\n", "resource_registry > resources > one is no mapping"),
        ("resource_registry: {resources: {one: {hooks: before}}}\n", "one > hooks has 'before', which is no hook"),
        ('resource_registry: {"My::Server": absent.yaml}\n', "what it names can't be read: .*absent.yaml"),
        ("parameters: {release: .nan}\n", "section parameters holds a value that can't be sent"),
        ("parameters: {release: !!binary aGVsbG8=}\n", "section parameters holds a value that can't be sent"),
        ("parameters: {release: !!set {a, b}}\n", "section parameters holds a value that can't be sent"),
        ("parameters: &p {release: *p}\n", "section parameters holds a value that can't be sent"),
        ("parameters: {release: !one x}\n", "is not YAML: line 1, column 23: a word that begins with !"),
        ("parameters: {release: one\n", "is not YAML: line"),
        ("sections: {}\n", 'environment has wrong section "sections"'),
        ("parameters: !!int one\n", "is not YAML: line 1, column 13"),
        ("one\n", "is no mapping"),
    ],
)
def test_what_is_no_environment_is_refused_by_file_and_place(
    read: Callable[..., StackSource], text: str, said: str
) -> None:
    with pytest.raises(RunbookError, match=said) as refused:
        read(text)
    assert "/0.yaml" in refused.value.message
    assert "main.yaml" not in refused.value.message


@pytest.mark.parametrize("text", ["", "---\n", "parameters:\n", "\ufeffparameters: {}\n", '{\n\t"parameters": {}\n}\n'])
def test_what_says_nothing_says_nothing(read: Callable[..., StackSource], text: str) -> None:
    assert read(text).environment["parameters"] == {}


def test_a_password_in_a_broken_environment_is_not_shown(read: Callable[..., StackSource]) -> None:
    with pytest.raises(RunbookError, match="line 2, column 19") as refused:
        read("parameters:\n  admin_password: @Swordfish\n")
    assert "Swordfish" not in str(refused.value)


def test_a_date_without_quotes_is_sent_as_the_text_that_it_is(read: Callable[..., StackSource]) -> None:
    source = read("parameters: {release: 2031-12-24}\n", "parameter_defaults: {release: 2031-02-31}\n")
    assert source.environment["parameters"] == {"release": "2031-12-24"}
    assert source.environment["parameter_defaults"] == {"release": "2031-02-31"}


def test_heat_is_sent_the_files_themselves_in_their_order(read: Callable[..., StackSource]) -> None:
    one = "parameter_merge_strategies: {networks: merge}\nparameter_defaults: {networks: [a, b]}\n"
    body = read(one, "parameter_defaults: {networks: [c]}\n").body
    assert [address.rpartition("/")[2] for address in body["environment_files"]] == ["0.yaml", "1.yaml"]
    sent = [json.loads(body["files"][address]) for address in body["environment_files"]]
    assert sent[0]["parameter_merge_strategies"] == {"networks": "merge"}
    assert [file["parameter_defaults"]["networks"] for file in sent] == [["a", "b"], ["c"]]
    # A Heat that takes no files, and so would overwrite, refuses the section.
    assert body["environment"] == {"parameter_merge_strategies": {"networks": "merge"}}


def test_an_older_heat_is_sent_them_merged_as_clients_did(read: Callable[..., StackSource]) -> None:
    body = read('parameter_defaults: {tags: "{}", release: a}\n', "parameter_defaults: {tags: {x: y}}\n", size=1).body
    assert body["environment"]["parameter_defaults"] == {"tags": {"x": "y"}, "release": "a"}
    assert body["environment"]["parameters"] == body["parameters"] == {"size": 1}


def test_a_parameter_of_the_stack_counts_more_than_any_file(read: Callable[..., StackSource]) -> None:
    source = read("parameters: {release: theirs, networks: [a]}\n", release="mine")
    (file,) = (json.loads(source.files[address]) for address in source.body["environment_files"])
    assert file["parameters"] == {"networks": ["a"]}
    assert source.environment["parameters"] == {"release": "mine", "networks": ["a"]}


def test_an_event_sink_is_a_difference(read: Callable[..., StackSource]) -> None:
    with_sink = read("event_sinks: [{type: zaqar-queue, target: events}]\n")
    held: dict[str, Any] = {"parameters": {}, "event_sinks": []}
    assert not with_sink.matches(with_sink.stack.template, held, with_sink.files)
    held["event_sinks"] = [{"type": "zaqar-queue", "target": "events"}]
    assert with_sink.matches(with_sink.stack.template, held, with_sink.files)


def test_a_parameter_that_is_named_like_a_secret_is_masked(read: Callable[..., StackSource]) -> None:
    read("parameter_defaults: {db_password: Swordfish-7, key_name: mine-and-no-secret}\n").register_secrets()
    assert "Swordfish-7" not in mask("Heat says Swordfish-7")
    assert mask("mine-and-no-secret") == "mine-and-no-secret"


def test_hooks_are_found_wherever_they_stand(read: Callable[..., StackSource]) -> None:
    text = """
resource_registry:
  resources:
    one: {hooks: pre-create}
    "group*": {hooks: [pre-update, post-delete], member: {hooks: pre-delete, restricted_actions: replace}}
    "*": {"My::Type": OS::Heat::None}
"""
    assert hooked_resources(read(text).stack.environment) == [
        "one (pre-create)",
        "group* (pre-update, post-delete)",
        "group*/member (pre-delete)",
    ]
    assert hooked_resources({}) == []


def test_a_template_that_contains_itself_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "main.yaml"
    own.write_text(TEMPLATE.replace("OS::Heat::RandomString", "main.yaml"))
    with pytest.raises(RunbookError, match=r"main\.yaml contains itself"):
        read_template(own)


def test_templates_that_contain_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("one", "other"), ("other", "one")):
        (tmp_path / f"{name}.yaml").write_text(TEMPLATE.replace("OS::Heat::RandomString", f"{other}.yaml"))
    with pytest.raises(RunbookError, match=r"other\.yaml: .*/one\.yaml contains itself"):
        read_template(tmp_path / "one.yaml")


def test_a_nested_template_that_is_broken_is_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text(TEMPLATE.replace("OS::Heat::RandomString", "inner.yaml"))
    for text, said in (
        ("heat_template_version: 2018-08-31\nresources: {a: @x}\n", "is not YAML: line 2, column 16"),
        ("heat_template_version: 2018-08-31\nresources: [a]\n", "section resources is a list"),
        ("heat_template_version: 2018-08-31\nresources: {a: !!binary aGk=}\n", "holds a value that can't be sent"),
        ("heat_template_version: 2018-08-31\nresources: {a: !!bool resources}\n", "line 2, column 16"),
    ):
        (tmp_path / "inner.yaml").write_text(text)
        with pytest.raises(RunbookError, match=said) as refused:
            read_template(tmp_path / "main.yaml")
        assert refused.value.message.startswith(f"{tmp_path}/inner.yaml")


def test_a_date_in_a_nested_template_stays_text(tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text(TEMPLATE.replace("OS::Heat::RandomString", "inner.yaml"))
    (tmp_path / "inner.yaml").write_text(TEMPLATE.replace("type: json", "type: string, default: 2031-12-24"))
    (text,) = read_template(tmp_path / "main.yaml").files.values()
    assert json.loads(text)["parameters"]["tags"]["default"] == "2031-12-24"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters:\n  - flavor: {type: string}\nresources: {}\n", "section parameters is a list"),
        ("resources: none\n", "section resources is a text"),
        ("resources: {}\noutputs: [a]\n", "section outputs is a list"),
    ],
)
def test_a_section_of_a_template_that_is_no_mapping_is_refused(tmp_path: Path, text: str, said: str) -> None:
    for version in ("heat_template_version: 2018-08-31\n", "HeatTemplateFormatVersion: '2012-12-12'\n"):
        cased = (
            text
            if "heat_t" in version
            else "".join(line[0].upper() + line[1:] for line in text.splitlines(keepends=True))
        )
        (tmp_path / "t.yaml").write_text(version + cased)
        with pytest.raises(RunbookError, match=f"(?i){said}") as refused:
            read_template(tmp_path / "t.yaml")
        assert "t.yaml: section" in refused.value.message


@pytest.mark.parametrize("start", ["", "\ufeff", "\n  "])
def test_json_with_tabs_is_taken(tmp_path: Path, start: str) -> None:
    text = (
        '{\n\t"heat_template_version": "2018-08-31",\n\t"resources": {\n\t\t"one": {"type": "OS::Heat::None"}\n\t}\n}\n'
    )
    (tmp_path / "t.json").write_text(start + text)
    assert [use.type for use in resource_uses(read_template(tmp_path / "t.json"))] == ["OS::Heat::None"]


def test_yaml_in_braces_is_taken_and_broken_json_is_told_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("{heat_template_version: 2018-08-31, resources: {}}")
    assert read_template(path).template["heat_template_version"] == "2018-08-31"
    path.write_text('{"heat_template_version": "2018-08-31",\n\t"resources": {]}')
    with pytest.raises(RunbookError, match="nor JSON: line 2, column 16"):
        read_template(path)
