"""Images of the controllers by ReaR, next to the same made by hand in the documented order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks.flow_run import carry_out
from tests.benchmarks.lab_job import Job, login, timed_script
from tests.benchmarks.results import Result
from tests.rear.imaged import Imaged
from tests.server.fixtures import PrefectServer

BY_HAND, PAUSE, ROLLING = "images-by-hand", "images-pause", "images-rolling"
CONTENDERS = (BY_HAND, PAUSE, ROLLING)
_SLOWEST, _STOPPED_S = f"{PAUSE}, the slowest image", f"{PAUSE}, stop, image and start"
# As the benchmark's own: ours, the other, and what the ratio should be at most. By hand one image is made after the other.
PAIRS = (
    ("images, pause / by hand", PAUSE, BY_HAND, 0.7),
    ("outage of images, pause / by hand", f"{PAUSE}, outage", f"{BY_HAND}, outage", 0.7),
    ("outage of images, rolling / by hand", f"{ROLLING}, outage", f"{BY_HAND}, outage", 0.05),
    ("outage of images, pause / its stop, image and start", f"{PAUSE}, outage", _STOPPED_S, 1.1),
)
_BESIDE_AIM_S, _ROLLING_AIM_S = 60.0, 3.0
_SCRIPT = Path(__file__).resolve().parent / "images-by-hand.sh"
# Steps of backup-control-plane: the image itself, and those between which no database answers.
_IMAGE, _STOPPED = "3l", ("3j", "3k", "3l", "3m", "3n")


@contextmanager
def ready(prefect: PrefectServer, job: Job, folder: Path) -> Iterator[Path]:
    """Give the lab's hosts what makes images of them.

    Args:
        prefect: The server.
        job: The lab.
        folder: For the site file.

    Yields:
        The site file, which the server knows.
    """
    with Imaged.made(job.lab, prefect, folder) as imaged, imaged.ready():
        yield imaged.site_file


def run(name: str, prefect: PrefectServer, job: Job) -> dict[str, float]:
    """Let a contender run.

    Args:
        name: One of CONTENDERS.
        prefect: The server, with the site and a worker.
        job: The lab.

    Returns:
        Seconds by what they are of: the contender itself, and what else it shows.
    """
    if name == BY_HAND:
        return {name: timed_script(["bash", str(_SCRIPT), *login(job), *job.addresses])}
    availability = name.removeprefix("images-")
    took = carry_out(prefect, "backup-control-plane", images="true", methods='["logical"]', availability=availability)
    if name == ROLLING:
        return {name: took.flow_s}
    return {
        name: took.flow_s,
        _SLOWEST: took.steps[_IMAGE],
        _STOPPED_S: sum(took.steps.get(step, 0) for step in _STOPPED),
    }


def beside_the_image(times: Mapping[str, Sequence[float]]) -> list[Result]:
    """How long no database answers: with `pause` beside the time of the slowest image, with `rolling` at all; where measured."""
    found = []
    if _SLOWEST in times:
        beside = median(times[f"{PAUSE}, outage"]) - median(times[_SLOWEST])
        found.append(
            Result("outage of images, pause, beside the slowest image", round(beside, 2), None, None, _BESIDE_AIM_S)
        )
    if ROLLING in times:
        outage = median(times[f"{ROLLING}, outage"])
        found.append(Result("outage of images, rolling", round(outage, 2), None, None, _ROLLING_AIM_S))
    return found
