"""Which backup sets stay, and why: a function of the history and the policy, and of no clock.

Sets are taken in the order in which the catalogue has them. Days, weeks (ISO) and months are those of the sets themselves, in
UTC, and only those with a verified backup are counted. So a clock that was wrong for a while, or nights without a backup,
make nothing go that would have stayed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from blocks.store import Retention
from tasks.backup.manifest import Kind
from tasks.backup.records import ImageKind

# What a count of the policy counts, and by which part of a set's time two sets are of one of them.
_PERIODS: tuple[tuple[str, Callable[[datetime], object]], ...] = (
    ("daily", lambda moment: moment.date()),
    ("weekly", lambda moment: moment.isocalendar()[:2]),
    ("monthly", lambda moment: (moment.year, moment.month)),
)


@dataclass(frozen=True)
class Backup:
    """A set, as far as retention looks at it.

    Attributes:
        id: Its id.
        started: When it was begun (UTC).
        kinds: The kinds of backup that it is.
        verified: Those of them that were restored and compared, without a difference; of images, those that are whole.
        pinned: Whether somebody wants it to stay.
        depends_on: Ids of sets that are needed to restore it.
        problem: What is wrong with it. It is counted for nothing then, and stays, to be looked at.
    """

    id: str
    started: datetime
    kinds: frozenset[Kind | ImageKind]
    verified: frozenset[Kind | ImageKind] = frozenset()
    pinned: bool = False
    depends_on: frozenset[str] = frozenset()
    problem: str = ""

    @property
    def unverified(self) -> frozenset[Kind | ImageKind]:
        """The kinds of it that nobody has restored, or that differed."""
        return self.kinds - self.verified


@dataclass(frozen=True)
class Decision:
    """What becomes of a set.

    Attributes:
        id: The set's id.
        kept: Whether it stays.
        reasons: Why: all of them where it stays, one where it goes.
    """

    id: str
    kept: bool
    reasons: tuple[str, ...]


@dataclass
class _Reasons:
    """Why sets stay, by their ids; a set without any goes."""

    by_id: dict[str, list[str]] = field(default_factory=dict)

    def add(self, backup: Backup, reason: str) -> None:
        reasons = self.by_id.setdefault(backup.id, [])
        if reason not in reasons:
            reasons.append(reason)

    def __contains__(self, backup: Backup) -> bool:
        return backup.id in self.by_id


def decide(history: Sequence[Backup], policy: Retention) -> list[Decision]:
    """Decide which sets stay.

    A set stays if the policy counts it, if it is the latest or the latest verified one of a kind, if it is pinned, if a set that
    stays depends on it, or if a later set of a kind of its own that stays is not verified (yet).

    Args:
        history: The sets in the order of the catalogue, the earliest first.
        policy: What is counted.

    Returns:
        A decision for each, in the same order.
    """
    reasons = _Reasons()
    sound = [backup for backup in history if not backup.problem]
    for kind in sorted({kind for backup in sound for kind in backup.kinds}):
        _count(kind, [backup for backup in reversed(sound) if kind in backup.kinds], policy, reasons)
    for backup in history:
        if backup.problem:
            reasons.add(backup, f"it counts for nothing: {backup.problem}")
        if backup.pinned:
            reasons.add(backup, "it is pinned")
        if not backup.kinds:
            reasons.add(backup, "it holds nothing that retention knows of")
    while _follow(history, reasons):
        pass
    return [
        Decision(backup.id, backup in reasons, tuple(reasons.by_id.get(backup.id, [_why_not(backup)])))
        for backup in history
    ]


def _count(kind: Kind | ImageKind, latest_first: Sequence[Backup], policy: Retention, reasons: _Reasons) -> None:
    """Note what the policy keeps of one kind."""
    verified = [backup for backup in latest_first if kind in backup.verified]
    not_yet = "" if kind in latest_first[0].verified else ", not verified yet"
    reasons.add(latest_first[0], f"the latest {kind}{not_yet}")
    for backup in verified[:1]:
        reasons.add(backup, f"the latest verified {kind}")
    for backup in verified[: policy.minimum_verified]:
        reasons.add(backup, f"one of {policy.minimum_verified} verified that always stay")
    for backup in verified[: policy.last]:
        reasons.add(backup, f"one of the last {policy.last}")
    for name, period in _PERIODS:
        for backup in _latest_of_each(verified, period, getattr(policy, name)):
            reasons.add(backup, f"{name}: one of {getattr(policy, name)}")


def _latest_of_each(latest_first: Iterable[Backup], period: Callable[[datetime], object], count: int) -> list[Backup]:
    """The latest set of each of the last so many periods that have one."""
    found: dict[object, Backup] = {}
    for backup in latest_first:
        found.setdefault(period(backup.started), backup)
    return list(found.values())[:count]


def _follow(history: Sequence[Backup], reasons: _Reasons) -> bool:
    """Keep what the sets that stay need to stay; whether that was any that would have gone."""
    before = len(reasons.by_id)
    staying = [backup for backup in history if backup in reasons]
    for place, backup in enumerate(history):
        for other in staying:
            if backup.id in other.depends_on:
                reasons.add(backup, f"{other.id} depends on it")
        later = [other for other in history[place + 1 :] if other in reasons]
        for other in _unverified(later, backup.kinds):
            reasons.add(backup, f"{other.id}, which is later, is not verified")
    return len(reasons.by_id) > before


def _unverified(backups: Iterable[Backup], kinds: Collection[Kind | ImageKind]) -> list[Backup]:
    return [backup for backup in backups if not backup.problem and backup.unverified & set(kinds)]


def _why_not(backup: Backup) -> str:
    if backup.unverified:
        return "never verified, and later ones of its kind are"
    return "the policy does not count it"
