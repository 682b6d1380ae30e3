"""The chain of a catalogue: whatever is changed in it or taken from it is found."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.remote.errors import RunbookError
from tasks.backup.catalogue import Catalogue, Entry, SealedSet
from tasks.backup.listing import read_catalogue
from tasks.backup.manifest import sha256_of
from tests.unit.tasks.backup.samples import LOGICAL, START, name_of, run_id


def chain(count: int) -> list[Entry]:
    """A catalogue of so many sets."""
    entries = [Catalogue("lab").next_entry("begun", START, run_id(0))]
    for number in range(count):
        last = entries[-1]
        before = Catalogue("lab", last_number=last.number, last_sha256=sha256_of(last.text))
        made = before.next_entry("sealed", START, run_id(number))
        sealed = SealedSet(
            set_id=str(name_of(number)),
            manifest_sha256=sha256_of(str(number)),
            started=START + timedelta(days=number),
            size_bytes=number,
            kinds=(LOGICAL,),
        )
        entries.append(made.model_copy(update={"sealed": sealed}))
    return entries


def listing(entries: list[Entry], texts: dict[int, str] | None = None) -> str:
    """What the host lists: the entries, some of them with another text, and every set."""
    lines = []
    for entry in entries:
        text = (texts or {}).get(entry.number, entry.text.strip())
        lines.append(f"file\tcatalogue/{entry.file}\t{text}")
        if entry.sealed is not None:
            lines.append(f"folder\t{entry.sealed.set_id}\t{entry.sealed.manifest_sha256}")
    return "\n".join(lines)


chains = st.integers(2, 12).map(chain)


@given(chains)
def test_a_whole_one_has_no_problem(entries: list[Entry]) -> None:
    found = read_catalogue(listing(entries), "lab")
    assert (found.problems, found.unlisted, found.entries) == ((), (), tuple(entries))
    assert [stored.problem for stored in found.sets] == [""] * (len(entries) - 1)
    assert [stored.number for stored in found.sets] == [entry.number for entry in entries[1:]]


@given(chains, st.data())
def test_an_entry_that_is_taken_away_is_found(entries: list[Entry], data: st.DataObject) -> None:
    """All but the latest, which nothing follows: its set is in no entry then."""
    gone = data.draw(st.sampled_from(entries))
    text = "\n".join(line for line in listing(entries).split("\n") if gone.file not in line)
    found = read_catalogue(text, "lab")
    assert bool(found.problems) == (gone is not entries[-1])
    if gone.sealed is not None:
        assert [str(name) for name in found.unlisted] == [gone.sealed.set_id]


@given(chains, st.data())
def test_an_entry_that_was_changed_is_found(entries: list[Entry], data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(entries[:-1]))
    values = json.loads(changed.text)
    key = data.draw(st.sampled_from(["at", "reason", "run_id", "site", "event", "previous"]))
    values[key] = {
        "at": "2030-01-01T00:00:00Z",
        "reason": "another",
        "run_id": str(run_id(999)),
        "site": "prod",
        "event": "removed" if changed.event != "removed" else "sealed",
        "previous": "0" * 64,
    }[key]
    text = json.dumps(values, separators=(",", ":"))
    assert read_catalogue(listing(entries, {changed.number: text}), "lab").problems


@given(chains, st.data(), st.text(st.characters(blacklist_categories=["Cc", "Cs"]), max_size=30))
def test_an_entry_that_is_none_is_found_and_the_rest_is_read(
    entries: list[Entry], data: st.DataObject, text: str
) -> None:
    damaged = data.draw(st.sampled_from(entries))
    found = read_catalogue(listing(entries, {damaged.number: text}), "lab")
    assert found.problems[0].startswith(f"catalogue/{damaged.file} can't be read")
    assert len(found.entries) == len(entries) - 1
    after = found.next_entry("removed", START, run_id(99))
    again = read_catalogue(listing([*entries, after], {damaged.number: text}), "lab")
    assert again.problems == found.problems, "the chain goes on behind what is damaged"


@given(chains, st.data())
def test_a_manifest_that_was_changed_or_taken_away_is_found(entries: list[Entry], data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(entries[1:]))
    assert entry.sealed is not None
    old = f"folder\t{entry.sealed.set_id}\t{entry.sealed.manifest_sha256}"
    for new, problem in (
        (f"folder\t{entry.sealed.set_id}\t{'0' * 64}", "its manifest is not the one that was sealed"),
        (f"folder\t{entry.sealed.set_id}\t", "its manifest is missing"),
        ("folder\telsewhere/nothing\t", "it is gone, and no run has removed it"),
    ):
        found = read_catalogue(listing(entries).replace(old, new), "lab")
        assert {stored.name: stored.problem for stored in found.sets if stored.problem} == {
            name_of(entry.number - 2): problem
        }


def test_two_copies_of_a_set_s_folder_are_two_sets() -> None:
    text = listing(chain(1)) + f"\nfolder\tother-database/{name_of(0).stamp}\t{'0' * 64}"
    found = read_catalogue(text, "lab")
    assert [str(name) for name in found.unlisted] == [f"other-database/{name_of(0).stamp}"]
    with pytest.raises(RunbookError, match="has no such set"):
        found.find(f"other-database/{name_of(0).stamp}")


def test_an_entry_that_another_version_has_written_otherwise_is_in_the_chain_as_it_lies_there() -> None:
    entries = chain(1)
    spaced = json.dumps(json.loads(entries[1].text))
    found = read_catalogue(listing(entries, {2: spaced}), "lab")
    after = found.next_entry("removed", START, run_id(99))
    assert read_catalogue(listing([*entries, after], {2: spaced}), "lab").problems == ()


def test_what_is_no_line_of_a_listing_is_passed_over() -> None:
    text = listing(chain(2))
    assert read_catalogue(f"folder\tstrange\nname\t\n{text}\n", "lab") == read_catalogue(text, "lab")
