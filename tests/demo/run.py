"""Starting the runbook as an operator does, and following its run through the server's API."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from tests.demo.terminal import quote, say
from tests.server.fixtures import PrefectServer

_STEP = re.compile(r"step (?P<number>\S+) on (?P<host>\S+): (?P<sentence>.*)")
_WARNING = 30
_WIDEST = 60
_COLUMNS = ("step", "what", "host", "result", "seconds")  # of the report's table
_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_PATIENCE_S = 1200.0


class RunNotStarted(Exception):
    """`prefect deployment run` did not make a run; the message is what it said."""


def start(server: PrefectServer, *words: str) -> str:
    """Type `prefect deployment run …`; returns the id of the flow run."""
    say("$ prefect deployment run " + " ".join(words))
    done = server.prefect("deployment", "run", *words)
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", done.stdout)
    if done.returncode != 0 or found is None:
        raise RunNotStarted(done.stdout + done.stderr)
    quote("\n".join(line for line in done.stdout.splitlines() if "UUID" in line or "Creating" in line))
    return found[0]


def follow(server: PrefectServer, run_id: str) -> dict[str, Any]:
    """Print the run's steps as they begin, and its warnings, until it ends; returns the flow run."""
    seen = 0
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        run: dict[str, Any] = server.api("GET", f"/flow_runs/{run_id}")
        ended = run["state"] is not None and run["state"]["type"] in _FINAL
        if ended:
            time.sleep(1.5)  # The last lines are on their way.
        lines = _lines(server, run_id, seen)
        seen += len(lines)
        _show(lines, run)
        if ended or time.monotonic() > deadline:
            return run
        time.sleep(0.4)


def _lines(server: PrefectServer, run_id: str, offset: int) -> list[dict[str, Any]]:
    wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC", "offset": offset, "limit": 200}
    return list(server.api("POST", "/logs/filter", wanted))


def _show(lines: Iterable[dict[str, Any]], run: dict[str, Any]) -> None:
    """One line a step and its hosts; of all else only warnings."""
    for number, group in groupby(lines, key=_number):
        several = list(group)
        if not number:
            for line in several:
                # An error is told at the end, and in the report; Prefect repeats it with its trace.
                if line["level"] == _WARNING:
                    quote(f"{_clock(line, run)}      ! {line['message'].partition(chr(10))[0]}")
            continue
        steps = [found for line in several if (found := _STEP.match(line["message"]))]
        hosts = ", ".join(sorted({step["host"] for step in steps}))
        quote(f"{_clock(several[0], run)} {number:>5}. {steps[0]['sentence']} [{hosts}]")


def _number(line: dict[str, Any]) -> str:
    found = _STEP.match(line["message"])
    return found["number"] if found else ""


def _clock(line: dict[str, Any], run: dict[str, Any]) -> str:
    if run["start_time"] is None:
        return "       "
    since = datetime.fromisoformat(line["timestamp"]) - datetime.fromisoformat(run["start_time"])
    return f"{since.total_seconds():5.1f} s"


def seconds(run: dict[str, Any]) -> float:
    """How long the run took, as Prefect has it."""
    return float(run["total_run_time"])


def report(server: PrefectServer, run_id: str) -> str:
    """The report artifact of a run, in Markdown; empty if there is none."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "type": {"any_": ["markdown"]}}, "sort": "CREATED_DESC"}
    found = server.api("POST", "/artifacts/filter", wanted)
    return str(found[0]["data"]) if found else ""


def folded(markdown: str) -> str:
    """The same with one row a step in its table, for all hosts with the same result; the seconds are the longest."""
    out: list[str] = []
    for line in markdown.splitlines():
        cells, above = _cells(line), _cells(out[-1]) if out else []
        if len(cells) == len(above) == len(_COLUMNS) and [*cells[:2], cells[3]] == [*above[:2], above[3]]:
            longest = max(cells[4], above[4], key=float)
            out[-1] = "| " + " | ".join([*above[:2], f"{above[2]}, {cells[2]}", above[3], longest]) + " |"
        else:
            out.append(line)
    return "\n".join(out)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []


def as_text(markdown: str) -> str:
    """The same for a terminal: tables with aligned columns, long cells cut short."""
    out: list[str] = []
    for is_table, group in groupby(markdown.splitlines(), key=lambda line: line.startswith("|")):
        lines = list(group)
        out += _aligned(lines) if is_table else lines
    return "\n".join(out)


def _aligned(lines: list[str]) -> list[str]:
    rows = [
        [textwrap.shorten(cell, _WIDEST, placeholder=" …") for cell in cells]
        for line in lines
        if (cells := _cells(line))
    ]
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
