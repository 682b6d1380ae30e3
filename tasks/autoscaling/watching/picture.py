"""One picture of a group that scaled: CPU and thresholds, alarm states and members over time.

Prefect's UI shows an image artifact as `<img src>` of whatever address it is given, in both its versions; an image inside a
Markdown artifact it shows only from an http address, which nobody serves here. So the picture is an image artifact of its own
that carries itself as a `data:` address, and is made small: the artifact lies in Prefect's database, and the UI prints the
address below the image.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from prefect.artifacts import create_image_artifact

from tasks.autoscaling.timeline import ALARM, NO_DATA, Observation, Timeline

_INCHES, _DPI, _COLOURS = (9.0, 6.0), 80, 32
_HIGH, _LOW, _CPU, _MEMBER, _SIZE = "#c0392b", "#2471a3", "#1c2833", "#b2babb", "#1e8449"
_STATES = {ALARM: "#e74c3c", NO_DATA: "#f4d03f"}
_OTHER_STATE = "#d5f5e3"
# Beside the axes, where it hides nothing.
_LEGEND: Any = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "fontsize": "small", "frameon": False}


def draw(timeline: Timeline, title: str) -> bytes:
    """Draw the picture as a PNG.

    Args:
        timeline: What was seen; without an observation the picture says so.
        title: What it is a picture of.
    """
    drawn = BytesIO()
    figure(timeline, title).savefig(drawn, format="png")
    small = BytesIO()
    # A palette makes a third of it.
    Image.open(drawn).convert("RGB").quantize(_COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


def figure(timeline: Timeline, title: str) -> Figure:
    """Make the figure: CPU in percent of all vCPUs, the two alarms, the members, over seconds since the load began."""
    made = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    made.suptitle(title)
    cpu, alarms, members = made.subplots(3, 1, sharex=True, height_ratios=(5, 1.6, 3))
    if not timeline.observations:
        cpu.text(0.5, 0.5, "nothing was observed", ha="center", va="center", transform=cpu.transAxes)
        return made
    start = timeline.load_on or timeline.observations[0].at
    _draw_cpu(cpu, timeline, start)
    _draw_alarms(alarms, timeline, start)
    _draw_members(members, timeline, start)
    for axes in (cpu, alarms, members):
        _mark_load(axes, timeline, start)
    members.set_xlabel("seconds since the load began" if timeline.load_on else "seconds")
    return made


def _draw_cpu(axes: Axes, timeline: Timeline, start: datetime) -> None:
    for id_ in sorted({member.id for observation in timeline.observations for member in observation.members}):
        seen = [
            (_seconds(observation, start), member.cpu_percent)
            for observation in timeline.observations
            for member in observation.members
            if member.id == id_ and member.cpu_percent is not None
        ]
        axes.plot([at for at, _ in seen], [percent for _, percent in seen], color=_MEMBER, linewidth=1, gid=id_)
    mean = [
        (_seconds(observation, start), observation.cpu_percent)
        for observation in timeline.observations
        if observation.cpu_percent is not None
    ]
    axes.plot(
        [at for at, _ in mean], [percent for _, percent in mean], color=_CPU, linewidth=2, label="mean of the members"
    )
    axes.axhline(
        timeline.thresholds_percent.high,
        color=_HIGH,
        linestyle="--",
        label=f"add above {timeline.thresholds_percent.high:g} %",
    )
    axes.axhline(
        timeline.thresholds_percent.low,
        color=_LOW,
        linestyle="--",
        label=f"remove below {timeline.thresholds_percent.low:g} %",
    )
    axes.set_ylabel("CPU, %")
    axes.set_ylim(bottom=0)
    axes.legend(**_LEGEND)


def _draw_alarms(axes: Axes, timeline: Timeline, start: datetime) -> None:
    for row, name in enumerate(("low", "high")):
        for begin, length, state in _spans(timeline, name, start):
            axes.broken_barh([(begin, length)], (row + 0.1, 0.8), color=_STATES.get(state, _OTHER_STATE), label=state)
    axes.set_yticks([0.5, 1.5], ["low alarm", "high alarm"])
    axes.set_ylim(0, 2)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(handles.values(), handles.keys(), **_LEGEND)


def _spans(timeline: Timeline, name: str, start: datetime) -> Iterator[tuple[float, float, str]]:
    """Begin, length and state of every stretch in which an alarm's state stayed the same."""
    begin, state = _seconds(timeline.observations[0], start), timeline.observations[0].alarms.get(name, NO_DATA)
    for observation in timeline.observations[1:]:
        now = observation.alarms.get(name, NO_DATA)
        if now != state:
            yield begin, _seconds(observation, start) - begin, state
            begin, state = _seconds(observation, start), now
    yield begin, _seconds(timeline.observations[-1], start) - begin, state


def _draw_members(axes: Axes, timeline: Timeline, start: datetime) -> None:
    at = [_seconds(observation, start) for observation in timeline.observations]
    axes.step(
        at, [observation.size for observation in timeline.observations], where="post", color=_MEMBER, label="members"
    )
    ready = [len(observation.ready) for observation in timeline.observations]
    axes.step(at, ready, where="post", color=_SIZE, linewidth=2, label="ready")
    for event in timeline.signals:
        colour = _HIGH if event.direction == "up" else _LOW
        axes.axvline((event.at - start).total_seconds(), color=colour, linewidth=1, linestyle=":", gid="event")
    axes.set_ylim(0, timeline.max_size + 1)
    axes.set_yticks(range(timeline.max_size + 2))
    axes.set_ylabel("members")
    axes.legend(**_LEGEND)


def _mark_load(axes: Axes, timeline: Timeline, start: datetime) -> None:
    if timeline.load_on:
        end = timeline.load_off or timeline.observations[-1].at
        axes.axvspan(0, (end - start).total_seconds(), color="#fdf2e9", zorder=-1, gid="load")
    axes.grid(alpha=0.3)


def _seconds(observation: Observation, start: datetime) -> float:
    return (observation.at - start).total_seconds()


def save(picture: bytes, path: Path) -> Path:
    """Write the picture to a file for the report to name, and return where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    return path.resolve()


def data_address(picture: bytes) -> str:
    """The picture as an address that carries it."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def publish(picture: bytes, key: str, description: str) -> UUID:
    """Make the image artifact; returns its id.

    Args:
        picture: A PNG.
        key: Lowercase letters, digits and dashes.
        description: Shown beside it; name the file that `save` wrote.
    """
    made = create_image_artifact(data_address(picture), key=key, description=description)
    assert isinstance(made, UUID)
    return made
