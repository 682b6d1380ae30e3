"""The host's shell dies after each of its commands: what is left is understood, and the next try reaches the same end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import CommandFailed
from blocks.remote.shell import Result
from tasks.backup.backup_set import SetName
from tasks.backup.catalogue import Catalogue
from tasks.backup.manifest import Manifest
from tasks.backup.removal import delete, put_aside, record_removal
from tasks.backup.store import Store
from tasks.backup.writing import begin, list_unlisted, read_unlisted, seal
from tests.unit.fakes import LocalShell
from tests.unit.tasks.backup.samples import DUMP, START, make_set, make_store, manifest_of, name_of, run_id


class DyingShell(LocalShell):
    """A shell of which one script is killed before its command of this number.

    Args:
        says: The beginning of what that script says it does.
        at: The number of the command.
    """

    def __init__(self, says: str, at: int) -> None:
        super().__init__()
        self.died = False
        self._says, self._at = says, at

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if not command.says.startswith(self._says):
            return super().run(command, on_line)
        place = command.words.index("-c") + 1
        dying = f"left={self._at}; trap '[ $((left--)) != 0 ] || kill -9 $$' DEBUG\n{command.words[place]}"
        try:
            return super().run(replace(command, words=(*command.words[:place], dying, *command.words[place + 1 :])))
        except CommandFailed as error:
            self.died = error.exit_code == -9
            raise


def deaths(template: Path, folder: Path, says: str, do: Callable[[Store], object]) -> Iterator[Store]:
    """Do something to copies of a store, a command further each time, until it is done without a death.

    Yields:
        Each store as it was left, with a shell that lives.
    """
    for at in range(200):
        copy = folder / str(at)
        shutil.copytree(template, copy)
        shell = DyingShell(says, at)
        with suppress(CommandFailed):
            do(Store(shell, make_store(copy).settings, "lab"))
        yield make_store(copy)
        shutil.rmtree(copy)
        if not shell.died:
            assert at > 1, "nothing was killed"
            return
    raise AssertionError("it never came to its end")


def whole(store: Store) -> Catalogue:
    """The catalogue, in which nothing is wrong."""
    found = store.catalogue()
    assert found.problems == ()
    assert [stored.problem for stored in found.sets] == [""] * len(found.sets)
    return found


def prepared(folder: Path) -> tuple[Path, Manifest]:
    """A store with a set, and another one that is received and not sealed."""
    (folder / "template").mkdir()
    store = make_store(folder / "template")
    make_set(store)
    begin(store, name_of(1), run_id(1), START)
    return folder / "template", manifest_of(1, DUMP, store)


def test_killed_while_it_is_sealed(tmp_path: Path) -> None:
    template, manifest = prepared(tmp_path)
    for store in deaths(template, tmp_path, "seal", lambda store: seal(store, manifest, START)):
        found = whole(store)
        there = [*(stored.name for stored in found.sets), *found.unlisted]
        assert there in ([name_of(0)], [name_of(0), name_of(1)])
        for name in found.unlisted:
            assert read_unlisted(store, name) == manifest
        seal(store, manifest, START)
        assert [stored.name for stored in whole(store).sets] == [name_of(0), name_of(1)]


def test_killed_while_it_is_sealed_and_the_next_night_comes(tmp_path: Path) -> None:
    template, manifest = prepared(tmp_path)
    for store in deaths(template, tmp_path, "seal", lambda store: seal(store, manifest, START)):
        make_set(store, 2)
        found = whole(store)
        assert found.partial == ()
        for name in found.unlisted:
            list_unlisted(store, read_unlisted(store, name), run_id(2), START)
        assert {name_of(0), name_of(2)} <= {stored.name for stored in whole(store).sets}


def test_killed_while_it_is_put_into_the_catalogue(tmp_path: Path) -> None:
    template, manifest = prepared(tmp_path)
    for store in deaths(template, tmp_path, "write catalogue", lambda store: seal(store, manifest, START)):
        found = whole(store)
        assert len(found.sets) + len(found.unlisted) == 2
        seal(store, manifest, START)
        assert [entry.event for entry in whole(store).entries] == ["begun", "sealed", "sealed"]


def test_killed_while_room_is_made(tmp_path: Path) -> None:
    template, _ = prepared(tmp_path)
    for store in deaths(template, tmp_path, "make room", lambda store: begin(store, name_of(2), run_id(2), START)):
        whole(store)
        make_set(store, 2)
        found = whole(store)
        assert ([stored.name for stored in found.sets], found.partial) == ([name_of(0), name_of(2)], ())


def remove(store: Store, names: list[SetName]) -> None:
    """Remove sets, and go on where that was begun."""
    found = store.catalogue()
    going = [stored for stored in found.sets if stored.name in names]
    if going:
        store.shell.run(put_aside(store, going))
    store.shell.run(delete(store, names))
    for name in names:
        record_removal(store, name, "why not", run_id(9), START)


def test_killed_while_sets_are_removed(tmp_path: Path) -> None:
    (tmp_path / "template").mkdir()
    template = make_store(tmp_path / "template")
    names = [make_set(template, number) for number in range(2)]
    for says in ("put backups aside", "write catalogue", "let go of"):
        for store in deaths(tmp_path / "template", tmp_path / says, says, lambda store: remove(store, names[:1])):
            found = whole(store)
            left = [stored.name for stored in found.sets]
            recorded = [SetName.parse(entry.removed) for entry in found.entries if entry.removed]
            assert {*left, *found.removing, *recorded} == set(names)
            going = [name for name in names[:1] if name in left or name in found.removing]
            if going:
                remove(store, going)
            found = whole(store)
            assert ([stored.name for stored in found.sets], found.removing) == (names[1:], ())
            assert [entry.removed for entry in found.entries if entry.removed] == [str(names[0])]
