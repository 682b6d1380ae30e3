"""The picture of a group that scaled: what it shows, and how it reaches Prefect's UI."""

import base64
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from PIL import Image

from tasks.autoscaling.timeline import NO_DATA
from tasks.autoscaling.watching.picture import data_address, draw, figure, publish, save
from tests.unit.tasks.autoscaling.timelines import LOAD_OFF, LOAD_ON, alarm, good, member, seen

CPU, ALARMS, MEMBERS = 0, 1, 2


def axes(number: int) -> Axes:
    return figure(good(), "a title").axes[number]


def line(label: str, number: int) -> Line2D:
    (found,) = [line for line in axes(number).get_lines() if line.get_label() == label]
    return found


def values(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata(), dtype=float)]


def test_it_shows_the_mean_of_the_members_against_both_thresholds() -> None:
    mean = values(line("mean of the members", CPU))
    assert (max(mean), min(mean)) == (90.0, 1.0)
    assert values(line("add above 50 %", CPU)) == [50, 50]
    assert values(line("remove below 10 %", CPU)) == [10, 10]


def test_it_shows_every_member_s_own_cpu() -> None:
    assert {line.get_gid() for line in axes(CPU).get_lines()} >= {"a", "b", "c"}


def test_it_shows_how_many_members_there_were_and_when_policies_acted() -> None:
    ready = values(line("ready", MEMBERS))
    assert [ready[0], max(ready), ready[-1]] == [1, 3, 1]
    assert len([line for line in axes(MEMBERS).get_lines() if line.get_gid() == "event"]) == 4


def test_it_shows_each_alarm_s_states_as_they_changed() -> None:
    shown = seen(good(), alarm("high", NO_DATA, 100))
    drawn = figure(shown, "t").axes[ALARMS]
    # low: alarm, ok, alarm; high: ok, alarm, ok, insufficient data
    assert len(drawn.collections) == 3 + 4
    assert [label.get_text() for label in drawn.get_legend().get_texts()] == ["alarm", "ok", "insufficient data"]  # type: ignore[union-attr]


def test_time_counts_from_the_beginning_of_the_load() -> None:
    (span,) = [patch for patch in axes(CPU).patches if patch.get_gid() == "load"]
    assert span.get_extents().width > 0
    assert span.get_width() == LOAD_OFF - LOAD_ON  # type: ignore[attr-defined]
    assert axes(MEMBERS).get_xlabel() == "seconds since the load began"


def test_a_run_that_never_came_to_a_load_is_drawn_too() -> None:
    early = replace(good(), load_on=None, load_off=None)
    drawn = figure(early, "t")
    assert [patch for patch in drawn.axes[CPU].patches if patch.get_gid() == "load"] == []
    assert drawn.axes[MEMBERS].get_xlabel() == "seconds"
    unmeasured = seen(early, member("a", 0, cpu_percent=None))
    assert draw(unmeasured, "t")


def test_without_an_observation_it_says_so() -> None:
    drawn = figure(replace(good(), observations=()), "t")
    assert [text.get_text() for text in drawn.axes[CPU].texts] == ["nothing was observed"]


def test_it_is_a_small_png_that_another_timeline_changes() -> None:
    picture = draw(good(), "check-autoscaling on lab")
    image = Image.open(BytesIO(picture))
    assert (image.format, image.size) == ("PNG", (720, 480))
    assert len(picture) < 30_000
    assert picture != draw(seen(good(), alarm("high", "ok", 0)), "check-autoscaling on lab")


def test_it_is_saved_where_the_report_can_name_it(tmp_path: Path) -> None:
    path = save(b"picture", tmp_path / "pictures" / "one.png")
    assert path.read_bytes() == b"picture"
    assert path.is_absolute()


def test_the_artifact_carries_the_picture_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str, str]] = []
    id_ = uuid4()

    def create(image_url: str, key: str, description: str) -> UUID:
        made.append((image_url, key, description))
        return id_

    monkeypatch.setattr("tasks.autoscaling.watching.picture.create_image_artifact", create)
    assert publish(b"\x89PNG", "check-autoscaling-lab-picture", "saved as /x.png") == id_
    ((address, key, description),) = made
    assert (key, description) == ("check-autoscaling-lab-picture", "saved as /x.png")
    assert address == data_address(b"\x89PNG")
    assert base64.b64decode(address.removeprefix("data:image/png;base64,")) == b"\x89PNG"
