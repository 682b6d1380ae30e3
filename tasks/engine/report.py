"""The report: the artifact that every run leaves, whether it ended well, failed, crashed or was cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from uuid import UUID

from prefect.artifacts import create_markdown_artifact

from blocks.remote.secrets import mask
from tasks.engine.checks import Check
from tasks.engine.departures import Document, departures_of
from tasks.engine.journal import Journal, Record

# The key of what is in force where nobody knows what is.
UNKNOWN = "unknown"


def render(
    journal: Journal,
    document: Document,
    outcome: str,
    error: str = "",
    facts: Sequence[str] = (),
    plan: str = "",
    checks: Iterable[Check] = (),
) -> str:
    """Write the report in Markdown.

    Args:
        journal: What was done.
        document: The documented procedure.
        outcome: `completed`, `failed`, `cancelled`, `crashed`, `refused`, `dry run`.
        error: The error, if there was one.
        facts: Sentences on what was restored, where the old data is.
        plan: What would be done, for a dry run.
        checks: What preflight has looked at, for a run that ended with it.
    """
    out = [
        f"# {journal.runbook} on {journal.site}: {outcome}",
        "",
        document.source,
        "",
    ]
    out += [f"- started {journal.started:%Y-%m-%d %H:%M:%S} UTC, attempt {journal.attempts}, run `{journal.run_id}`"]
    out += [f"- {fact}" for fact in facts]
    if outcome != "completed":
        out += [f"- {what}: {place}" for what, place in journal.kept.items()]
    if error:
        at = f" at step {journal.begun}" if journal.begun else ""
        out += ["", f"## What went wrong{at}", "", "```", error, "```"]
    if outcome != "completed":
        out += ["", "## Still in force", ""]
        out += [f"- **{sentence}**" for sentence in journal.in_force.values()] or ["- nothing: no change is in force"]
        out += [f"- still due on {_names(cleanup.words)}: {cleanup.sentence}" for cleanup in journal.cleanups]

        out += ["", "## What to do next", "", _next(journal, document, outcome)]
    if journal.findings:
        out += ["", "## Findings", "", *(f"- {finding}" for finding in journal.findings)]
    if rows := _looked_at(checks):
        out += ["", "## What was looked at", "", *rows]
    if plan:
        out += ["", "## The plan", "", "```", plan.rstrip(), "```"]
    out += ["", "## Steps", "", *_steps(journal), ""]
    if document.departures:
        out += ["## Departures from the document", "", *_departures(document), ""]
    return mask("\n".join(out))


def _next(journal: Journal, document: Document, outcome: str) -> str:
    if UNKNOWN in journal.in_force:
        return f"Bring the host back, see what stands, and start `{journal.runbook}` again: it looks before it changes anything."
    if outcome in {"refused", "dry run"} or not journal.begun:
        return "This run has changed nothing. Put right what is listed, if anything is, and start the runbook again."
    return (
        f"Put right what is said above and start `{journal.runbook}` again with the same parameters: it goes on from step "
        f"{journal.begun}. {document.again}".rstrip()
    )


def _looked_at(checks: Iterable[Check]) -> list[str]:
    """A row for each check; hosts at which the same was seen share one."""
    places: dict[tuple[str, str, bool], list[str]] = {}
    for check in checks:
        places.setdefault((check.name, check.words, check.ok), []).append(check.where)
    rows = [
        f"| {_cell(name)} | {_cell(_names(dict.fromkeys(where)))} | {_cell(words) if ok else f'**{_cell(words)}**'} |"
        for (name, words, ok), where in places.items()
    ]
    return ["| what | where | seen |", "|---|---|---|", *rows] if rows else []


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _steps(journal: Journal) -> list[str]:
    """A row for each step; hosts that ended alike share one, with the seconds of the slowest."""
    rows = ["| step | what | host | result | seconds |", "|---|---|---|---|---|"]
    for _, same in groupby(journal.records, key=_alike):
        records = list(same)
        first, slowest = records[0], max(record.seconds for record in records)
        result = first.outcome + (f": {first.note}" if first.note else "")
        hosts = _names(record.host for record in records)
        rows.append(f"| {first.number} | {first.sentence} | {hosts} | {result} | {slowest:.1f} |")
    return rows


def _alike(record: Record) -> tuple[str, ...]:
    return record.number, record.sentence, record.outcome, record.note


def _names(hosts: Iterable[str]) -> str:
    return ", ".join(hosts)


def _departures(document: Document) -> list[str]:
    rows = ["| step | documented | instead | why |", "|---|---|---|---|"]
    for departure in document.departures:
        cells = (departure.step, departure.documented, departure.instead, departure.why)
        rows.append("| " + " | ".join(map(_cell, cells)) + " |")
    return rows


def publish(
    journal: Journal,
    outcome: str,
    error: str = "",
    facts: Sequence[str] = (),
    plan: str = "",
    checks: Iterable[Check] = (),
) -> UUID:
    """Make the artifact `<runbook>-<site>`; returns its id."""
    text = render(journal, departures_of(journal.runbook), outcome, mask(error), facts, plan, checks)
    made = create_markdown_artifact(
        text, key=f"{journal.runbook}-{journal.site}", description=f"{journal.runbook}: {outcome}"
    )
    assert isinstance(made, UUID)
    return made
