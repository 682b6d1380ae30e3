"""What is on the store, which sets go, which stay, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.backup.backup_set import SetName
from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.freshness import too_old
from tasks.backup.manifest import Manifest
from tasks.backup.records import is_pinned, pin_of
from tasks.backup.removal import delete, put_aside, record_removal
from tasks.backup.retention import Backup, Decision, decide
from tasks.backup.store import Store
from tasks.backup.writing import catalogue_missing, list_unlisted, read_unlisted
from tasks.engine.change import Call, Change
from tasks.engine.checks import Check
from tasks.engine.journal import now
from tasks.engine.run import Run
from tasks.rear.images import images_root
from tasks.rear.stored import StoredImage, remove
from tasks.runbooks.prune_backups.images import going_images, image_kinds, read_images

_CATALOGUE = "catalogue of the backups"
_CUT_SHORT = "its removal was begun by a run that was killed"


@dataclass(frozen=True)
class Pruning:
    """What is done to the store.

    Attributes:
        store: The store.
        run_id: Prefect's id of this flow run.
        decisions: What becomes of each set, in the order of the catalogue.
        going: The sets that go.
        cut_short: Sets whose removal a killed run has begun.
        unlisted: Manifests of sealed sets that the catalogue does not know yet.
        findings: What else the operator should know.
        entries: How many entries the catalogue has.
        images: HOST/RUN of the images that go with what goes → what they take.
    """

    store: Store
    run_id: UUID
    decisions: tuple[Decision, ...]
    going: tuple[StoredSet, ...]
    cut_short: tuple[SetName, ...]
    unlisted: tuple[Manifest, ...]
    findings: tuple[str, ...]
    entries: int
    images: Mapping[str, int]

    @property
    def shell(self) -> Shell:
        """The store's host."""
        return self.store.shell

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        size = sum(each.sealed.size_bytes for each in self.going) + sum(self.images.values())
        images = f" and {len(self.images)} images" if self.images else ""
        return (
            f"{len(self.going)} of {len(self.decisions)} backups{images} go, with {size / 2**30:.1f} GiB; the catalogue of site "
            f"{self.store.site} has {self.entries} entries"
        )

    @property
    def removed(self) -> dict[SetName, str]:
        """The sets that will be gone, and why: those that go now, and those whose removal was begun."""
        reasons = {decision.id: decision.reasons[0] for decision in self.decisions}
        going = {stored.name: reasons[str(stored.name)] for stored in self.going}
        return dict.fromkeys(self.cut_short, _CUT_SHORT) | going

    def listing(self) -> Change:
        """Put sets into the catalogue that it does not know."""

        def add(manifest: Manifest) -> Call[Shell]:
            def do(_: Shell, __: Watch) -> Performed:
                list_unlisted(self.store, manifest, self.run_id, now())
                return "done"

            return Call(f"put {SetName.of_manifest(manifest)} into the catalogue", do)

        return Change(tuple(add(manifest) for manifest in self.unlisted))

    def putting_aside(self) -> Change:
        """Take out of sight what goes."""
        return Change((put_aside(self.store, self.going),))

    def deleting(self) -> Change:
        """Delete the files of what was taken out of sight."""
        return Change((delete(self.store, self.removed),))

    def deleting_images(self) -> Change:
        """Delete the images that belong to what was taken out of sight."""
        return Change((remove(images_root(self.store.settings), list(self.images)),))

    def recording(self) -> Change:
        """Put on record what is gone."""

        def record(name: SetName, reason: str) -> Call[Shell]:
            def do(_: Shell, __: Watch) -> Performed:
                record_removal(self.store, name, reason, self.run_id, now())
                return "done"

            return Call(f"put into the catalogue that {name} is gone: {reason}", do)

        return Change(tuple(record(name, reason) for name, reason in self.removed.items()))


def look(run: Run) -> Pruning:
    """Look at the store, and decide what goes.

    Args:
        run: The run; its one host is the backup node.

    Raises:
        Refused: The store or its catalogue can't be relied on.
    """
    settings = run.site.store
    if settings is None:
        raise RunbookError(
            f"site {run.site.site} has no store", "write a section [store] into its site file, and apply it"
        )
    store = Store(run.first, settings, run.site.site)
    seen = run.everywhere(_CATALOGUE, lambda _: store.catalogue())
    catalogue = seen.get(run.first.name, Catalogue(run.site.site))
    _check(run, store, catalogue)
    run.refuse_if_any()
    findings = [*_told(catalogue), *too_old(catalogue.sets, now(), timedelta(hours=settings.max_age_h))]
    unlisted = _unlisted(store, catalogue, findings)
    images = read_images(store, catalogue, findings)
    decisions = decide(backups(catalogue.sets, unlisted, now(), images), settings.retention)
    goes = {decision.id for decision in decisions if not decision.kept}
    return Pruning(
        store=store,
        run_id=UUID(run.journal.run_id),
        decisions=tuple(decisions),
        going=tuple(stored for stored in catalogue.sets if str(stored.name) in goes),
        cut_short=catalogue.removing,
        unlisted=tuple(unlisted),
        findings=tuple(findings),
        entries=len(catalogue.entries),
        images=going_images(catalogue, goes, images),
    )


def backups(
    sets: Sequence[StoredSet],
    unlisted: Sequence[Manifest],
    moment: datetime,
    images: Mapping[str, StoredImage] = MappingProxyType({}),
) -> list[Backup]:
    """The history that retention looks at.

    Args:
        sets: The sets of the catalogue.
        unlisted: Manifests of those that will be in it after this run: the latest, and nobody has verified them.
        moment: The time (UTC). A pin that ends has ended once the latest verified backup is later, too: a worker whose clock
            is wrong ends none.
        images: HOST/RUN → the images that are there. Those that are whole count as verified ones of their node.
    """
    verified = [stored.sealed.started for stored in sets if stored.verified and not stored.problem]
    moment = min(moment, verified[-1]) if verified else moment
    listed = [
        Backup(
            id=str(stored.name),
            started=stored.sealed.started,
            kinds=stored.kinds | image_kinds(stored, images),
            verified=stored.verified | image_kinds(stored, images),
            pinned=is_pinned(stored.records, moment),
            depends_on=frozenset(stored.sealed.depends_on),
            problem=stored.problem,
        )
        for stored in sets
    ]
    return listed + [
        Backup(str(SetName.of_manifest(each)), each.started, each.kinds, depends_on=frozenset(each.depends_on))
        for each in unlisted
    ]


def _check(run: Run, store: Store, catalogue: Catalogue) -> None:
    """Nothing is removed from a store whose catalogue can't be relied on."""
    where = run.first.name
    if catalogue.missing:
        run.checks += Check.of(catalogue_missing(store), _CATALOGUE)
    hint = f"see what became of {store.base}/catalogue, and put back what is missing; until then nothing is removed"
    run.checks += [Check(_CATALOGUE, where, "", problem, hint) for problem in catalogue.problems]
    if not run.reasons:
        run.checks.append(Check(_CATALOGUE, where, f"{len(catalogue.entries)} entries, {len(catalogue.sets)} backups"))


def _told(catalogue: Catalogue) -> list[str]:
    """What is on the store beside good sets."""
    said = [
        f"{stored.name}: {stored.problem}; it is not counted, and stays" for stored in catalogue.sets if stored.problem
    ]
    said += [
        f"{name} is half written; the next backup removes it, unless it is still at work" for name in catalogue.partial
    ]
    for stored in catalogue.sets:
        pin = pin_of(stored.records)
        if pin is not None:
            until = f" until {pin.until:%Y-%m-%d %H:%M} UTC" if pin.until else ""
            said.append(f"{stored.name} was pinned by {pin.by}{until}" + (f": {pin.why}" if pin.why else ""))
    return said


def _unlisted(store: Store, catalogue: Catalogue, findings: list[str]) -> list[Manifest]:
    """The manifests of sets that are sealed and not in the catalogue; what is none of ours is told, and left alone."""
    found = []
    for name in catalogue.unlisted:
        try:
            found.append(read_unlisted(store, name))
        except RunbookError as error:
            findings.append(f"{name} is not in the catalogue, and is left alone: {error.message}")
    return found
