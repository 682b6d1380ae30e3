"""A polling file is judged as Ceilometer's agents judge it: what they take is changed, what they end at is broken."""

from __future__ import annotations

import pytest

from blocks.remote.errors import HostError
from tasks.telemetry.polling import PollingFile, find_source, is_broken, with_interval
from tasks.telemetry.polling_backups import may_replace

GOOD = "sources:\n  - name: a\n    interval: 300\n    meters:\n      - cpu\n"


def file(text: str) -> PollingFile:
    return PollingFile("compute-0", "/etc/ceilometer/polling.yaml", text)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (GOOD.replace("interval: 300", "interval: 600\n    interval: 300"), "interval: 300"),
        (GOOD.replace("name: a", "name: a\n    name: b"), "interval: 300"),
        (GOOD.replace("300", '"300"'), '"300"'),
        (GOOD.replace("300", "'300'"), "'300'"),
        (GOOD.replace("- cpu", "- cpu\n      - cpu"), "interval: 300"),
        ("\ufeff" + GOOD, "interval: 300"),
        (GOOD + "sinks: !!null\n", "interval: 300"),
        ('{"sources": [{"name": "a", "interval": 300, "meters": ["cpu"]}]}', '"interval": 300'),
        (GOOD.replace("a\n", "\u2028a\x0b\n", 1).replace("\u2028", "é").replace("\x0b", ""), "interval: 300"),
        (GOOD.replace("- cpu", '- "*"\n      - "!disk.*"'), "interval: 300"),
    ],
)
def test_what_agents_read_is_no_broken_file_and_is_changed(text: str, changed: str) -> None:
    assert not is_broken(file(text))
    new = changed.replace("300", "60")
    head, _, tail = text.rpartition(changed)
    assert with_interval(file(text), 60) == head + new + tail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("- cpu", "- cpu\n      - !disk.*"), "is no YAML at line 6, column 9: a word that begins with !"),
        (GOOD.replace("- cpu", "- *"), "is no YAML at line 5"),
        (
            GOOD.replace("- cpu", '- "*"\n      - cpu'),
            "source a has meters that are named beside *, at which every agent",
        ),
        (GOOD.replace("- cpu", '- cpu\n      - "!disk.*"'), "named beside some that are excluded"),
        (GOOD.replace("    meters:\n      - cpu\n", "    meters: []\n"), "source a has no meters"),
        (GOOD.replace("- cpu", "- [cpu]"), "those of source a are no list of words"),
        (GOOD.replace("- cpu", "- 7"), "those of source a are no list of words"),
        (GOOD.replace("name: a", "title: a"), "a source without a name"),
        (GOOD.replace("300", "0"), "has the interval 0, which is none"),
        (GOOD.replace("300", "-60"), "has the interval -60, which is none"),
        (GOOD.replace("300", "[300]"), "has the interval [300], and not whole seconds"),
        (GOOD.replace("300", ".inf"), "has the interval inf"),
        (
            GOOD.replace("300", "2024-02-30"),
            "is no YAML at line 3, column 15: it looks like a value of the kind timestamp",
        ),
        ("sources:\n  a: {}\n", "has no list of sources"),
        ("sources: [a, b]\n", "has no list of sources"),
        ("[a]\n", "has no list of sources"),
        ("sources: &s [*s]\n", "has no list of sources"),
        ("\x00", "is no YAML: it has a character"),
    ],
)
def test_what_agents_end_at_is_broken_and_the_kept_file_may_replace_it(text: str, said: str) -> None:
    assert is_broken(file(text))
    assert may_replace(file(text), file(GOOD))
    with pytest.raises(HostError) as refused:
        with_interval(file(text), 60)
    assert said in refused.value.message
    assert refused.value.message.startswith("compute-0: /etc/ceilometer/polling.yaml")


@pytest.mark.parametrize("meters", ['["*"]', '["cpu*"]', '["!disk.*"]', "[cpu]"])
def test_sources_that_overlap_are_refused_by_name(meters: str) -> None:
    text = GOOD + f"  - name: b\n    interval: 60\n    meters: {meters}\n"
    with pytest.raises(HostError, match="several sources poll cpu: a, b") as refused:
        find_source(file(text))
    assert '"!cpu"' in refused.value.hint
    assert find_source(file(text.replace(meters, '["*", "!cpu"]'))).name == "a"


def test_a_file_is_put_back_over_nothing_that_agents_read() -> None:
    twice = GOOD.replace("interval: 300", "interval: 600\n    interval: 300") + "# mine\n"
    assert not may_replace(file(twice), file(GOOD))
