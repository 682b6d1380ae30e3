"""A cloud that scales a group by the rules of Ceilometer, Gnocchi, Aodh and Heat, second by second, at any intervals.

What a cloud on one machine can't be tried with: a minute's polling, a slow boot, a member that is left to the next evaluation.
The rules are those that `tasks.telemetry.thresholds` tells the source of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import fmean
from types import SimpleNamespace
from typing import cast

from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.errors import Unreachable
from blocks.remote.shell import Result
from tasks.autoscaling.group.cpu_load import read_load, stop_load
from tasks.autoscaling.group.group import Activity, Group, Member, Server
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.group.webhook import Policy
from tasks.autoscaling.group.website import Visitor
from tasks.autoscaling.timeline import Thresholds
from tasks.autoscaling.watching.observer import Observer
from tasks.autoscaling.watching.watch import GroupWatch
from tasks.autoscaling.watching.web_watch import WebWatch
from tasks.heat.events import Event
from tasks.heat.stack import Resource, Stack
from tasks.telemetry.alarms import Alarm, Rule, StateTransition
from tasks.telemetry.measures import Measure
from tasks.telemetry.thresholds import Timing, threshold_ns
from tests.unit.fakes import FakeClock

BEGIN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PERCENT = Thresholds(50, 10)


@dataclass
class Machine:
    """A member.

    Attributes:
        made: When Heat began it, in seconds of the simulation.
        boots_s: Seconds until Nova calls it active.
        loaded: Whether `dd` runs in it.
        gone: When Heat has removed it.
        used_ns: CPU time so far.
        samples: When Ceilometer polled, and the CPU time then; as far as Gnocchi has it.
    """

    name: str
    made: float
    boots_s: float
    loaded: bool = False
    leaving: bool = False
    used_ns: float = 0.0
    samples: list[tuple[float, float]] = field(default_factory=list)

    def means(self, granularity_s: float, since: float) -> dict[int, float]:
        """Number of a granularity → the mean of what was sampled in it."""
        buckets: dict[int, list[float]] = {}
        for at, value in self.samples:
            if at >= since:
                buckets.setdefault(int(at // granularity_s), []).append(value)
        return {bucket: fmean(values) for bucket, values in buckets.items()}

    def active(self, now: float) -> bool:
        return now >= self.made + self.boots_s


@dataclass
class Simulation:
    """The cloud.

    Attributes:
        clock: Moves it on, and is moved on by each call: they take a third of a second.
        timing: Its intervals.
        boots_s: Seconds that a boot takes.
        leaves_s: Seconds that a removal takes.
        min_size: Of the group.
        max_size: Of the group.
        seed: Where within their intervals polling and evaluation begin.
        polls_s: How often it polls really, if that is not what the timing says.
        hears: How many signals Heat acts on; None for all.
        misses: Seconds in which no poll is made.
        deaf_s: Seconds from when on none is made.
        blind_s: Seconds from when on no alarm is evaluated.
        repeats: Whether an alarm signals at every evaluation, or only when it comes up.
        low: Granularity in seconds and periods of the low alarm, where they are its own.
    """

    clock: FakeClock
    timing: Timing
    boots_s: float
    leaves_s: float
    min_size: int = 1
    max_size: int = 3
    seed: int = 0
    polls_s: float | None = None
    hears: int | None = None
    misses: range = range(0)
    deaf_s: float = 1e9
    blind_s: float = 1e9
    low: tuple[float, int] | None = None
    repeats: bool = True

    def __post_init__(self) -> None:
        chance = Random(self.seed)  # noqa: S311 - the same each time
        self.time = -10.0 * max(self.timing.granularity_s, self.polls_s or 0)  # it has stood for a while
        self._start = self.clock.now
        self._poll_at = self.time + chance.uniform(0, self.timing.polling_s)
        self._evaluate_at = self.time + chance.uniform(0, self.timing.evaluation_s)
        self._delay_s = chance.uniform(0.2, 1) * self.timing.processing_s
        self.machines = [Machine(f"m{n}", self.time - 999, 0) for n in range(self.min_size)]
        self._named = self.min_size
        self._arriving: list[tuple[float, Machine, float, float]] = []
        self.states = {"high": "ok", "low": "ok"}
        self._rests_until = self.time
        self._busy_until: float | None = None
        self._direction, self._reason = "", ""
        self.events: list[Event] = []
        self.turns: list[tuple[str, StateTransition]] = []

    # -- what happens

    def now(self) -> datetime:
        """The time, after all that was to happen until now has happened."""
        self.clock.now += 0.001
        self._advance()
        return BEGIN + timedelta(seconds=self.clock.now - self._start)

    def _advance(self) -> None:
        until = self.clock.now - self._start
        while self.time + 1 <= until:
            self.time += 1
            self._second()

    def _second(self) -> None:
        for machine in self.machines:
            if machine.active(self.time):
                machine.used_ns += 1e9 if machine.loaded else 0.02e9
        if self.time >= self._poll_at:
            self._poll_at += self.polls_s or self.timing.polling_s
            polled = self.time < self.deaf_s and int(self.time) not in self.misses
            self._arriving += [
                (self.time + self._delay_s, machine, self.time, machine.used_ns)
                for machine in self.machines
                if polled and machine.active(self.time)
            ]
        for arrival in [arriving for arriving in self._arriving if arriving[0] <= self.time]:
            self._arriving.remove(arrival)
            _, machine, at, value = arrival
            machine.samples.append((at, value))
        if self._busy_until is not None and self.time >= self._busy_until:
            self._complete()
        if self.time >= self._evaluate_at:
            self._evaluate_at += self.timing.evaluation_s
            if self.time < self.blind_s:
                self._evaluate()

    def _rule(self, name: str) -> tuple[float, int]:
        own = self.low if name == "low" else None
        return own or (self.timing.granularity_s, self.timing.evaluation_periods)

    def _rates(self, granularity_s: float, periods: int) -> list[float]:
        """From one granularity to the next, the change of the mean over the members; of those that have gone nothing is left."""
        oldest = (self.time - granularity_s * (periods + 2)) // granularity_s * granularity_s
        each = [machine.means(granularity_s, oldest) for machine in self.machines]
        means = [
            fmean(cpu_ns[bucket] for cpu_ns in each if bucket in cpu_ns)
            for bucket in sorted({b for cpu_ns in each for b in cpu_ns})
        ]
        return [after - before for before, after in pairwise(means)][-periods:]

    def _evaluate(self) -> None:
        for name, percent in (("high", PERCENT.high), ("low", PERCENT.low)):
            granularity_s, periods = self._rule(name)
            rates = self._rates(granularity_s, periods)
            threshold = threshold_ns(percent, 1, granularity_s)
            beyond = [rate > threshold if name == "high" else rate < threshold for rate in rates]
            before = self.states[name]
            if len(rates) < periods:
                self.states[name] = "insufficient data"
            elif all(beyond):
                self.states[name] = "alarm"
            elif not any(beyond) or before == "insufficient data":
                self.states[name] = "alarm" if beyond[-1] else "ok"
            if self.states[name] != before:
                at = BEGIN + timedelta(seconds=self.time)
                self.turns.append((name, StateTransition(at, self.states[name], "")))
            if self.states[name] == "alarm" and (self.repeats or before != "alarm"):
                self._signal("up" if name == "high" else "down", f"alarm state changed from {before} to alarm (…)")

    def _signal(self, direction: str, reason: str) -> None:
        size = len(self.machines)
        room = size < self.max_size if direction == "up" else size > self.min_size
        deaf = self.hears is not None and self.hears <= len(self.events) // 2
        if self._busy_until is not None or self.time < self._rests_until or not room or deaf:
            return
        self._direction, self._reason = direction, reason
        if direction == "up":
            self.machines.append(Machine(f"m{self._named}", self.time, self.boots_s))
            self._named += 1
            self._busy_until = self.time + self.boots_s + 2
        else:
            self.machines[0].leaving = True
            self._busy_until = self.time + self.leaves_s

    def _complete(self) -> None:
        self._busy_until, self._rests_until = None, self.time + self.timing.cooldown_s
        self.machines = [machine for machine in self.machines if not machine.leaving]
        at = BEGIN + timedelta(seconds=int(self.time))
        number = len(self.events)
        made = "CREATE_COMPLETE" if self._direction == "up" else "DELETE_COMPLETE"
        self.events += [
            Event(f"e{number}", at, "group", "1", f"m{number}", made, ""),
            Event(f"e{number + 1}", at, "stack", "1", self._direction, "SIGNAL_COMPLETE", self._reason),
        ]

    # -- what is seen

    def _called(self) -> None:
        self.clock.now += 0.3
        self._advance()

    def resources(self, *_: object) -> list[Resource]:
        self._called()
        return [Resource(machine.name, "", self._status(machine), "", "", "group/1", "") for machine in self.machines]

    def _status(self, machine: Machine) -> str:
        if machine.leaving:
            return "DELETE_IN_PROGRESS"
        last = self._busy_until is not None and self._direction == "up" and machine is self.machines[-1]
        return "CREATE_IN_PROGRESS" if last else "CREATE_COMPLETE"

    def group(self, *_: object) -> Group:
        self._called()
        members = []
        for machine in self.machines:
            status = "ACTIVE" if machine.active(self.time) else "BUILD"
            members.append(
                Member(
                    machine.name, self._status(machine), Server(machine.name, machine.name, status, ("10.0.0.1",), ())
                )
            )
        return Group("group", "group/1", tuple(members))

    def alarms(self, *_: object) -> list[Alarm]:
        self._called()
        return [self.alarm(name) for name in ("high", "low")]

    def alarm(self, name: str) -> Alarm:
        percent, operator = (PERCENT.high, "gt") if name == "high" else (PERCENT.low, "lt")
        granularity, periods = self._rule(name)
        rule = Rule("cpu", "rate:mean", granularity, periods, operator, threshold_ns(percent, 1, granularity), "{}")
        return Alarm(name, name, self.states[name], BEGIN, "", True, self.repeats, rule, 1)

    def measures(self, _: Cloud, servers: set[str], __: float, *, since: datetime) -> dict[str, Measure]:
        self._called()
        found, granularity_s = {}, self.timing.granularity_s
        for machine in self.machines:
            means = machine.means(granularity_s, -1e9)
            # Gnocchi keeps rates: the first one in what is asked for needs nothing that is older.
            rates = [
                (BEGIN + timedelta(seconds=bucket * granularity_s), means[bucket] - means[before])
                for before, bucket in pairwise(sorted(means))
            ]
            rates = [rate for rate in rates if rate[0] >= since]
            if machine.name not in servers or not rates:
                continue
            at, value = rates[-1]
            before = rates[-2][0] if len(rates) > 1 else None
            found[machine.name] = Measure(at, granularity_s, value, before)
        return found

    def read_events(self, _: Cloud, __: Stack, after: str) -> list[Event]:
        self._called()
        ids = [event.id for event in self.events]
        return self.events[ids.index(after) + 1 :] if after else list(self.events)

    def read_history(self, _: Cloud, alarm: str) -> list[StateTransition]:
        self._called()
        return [turn for name, turn in self.turns if name == alarm]

    def newest_event(self, *_: object) -> str:
        self._called()
        return self.events[-1].id if self.events else ""

    def on(self, name: str, command: Command) -> Result:
        machine = next((machine for machine in self.machines if machine.name == name), None)
        if machine is None:
            raise Unreachable(name, "it has gone")
        if command == stop_load():
            machine.loaded = False
        elif command != read_load():
            machine.loaded = True
        return Result(f"vcpus 1\nrunning {int(machine.loaded)}\n", "", 0)

    def activity(self, *_: object) -> Activity:
        self._called()
        return Activity(self._busy_until is not None, BEGIN + timedelta(seconds=self._rests_until), "")

    def post(self, _: Cloud, policy: Policy) -> None:
        """Somebody calls a webhook, which Heat answers whether it does anything or not."""
        self._called()
        self._signal(policy.name, "No signal details provided")

    def was_served_by(self, name: str) -> bool:
        """Whether the page has come from a member: some seconds after its boot."""
        return any(machine.name == name and machine.active(self.time - 5) for machine in self.machines)

    def shares(self, names: list[str], _: int) -> dict[str, int]:
        return dict.fromkeys(names, 4)

    def watching(self, settle_s: float) -> GroupWatch:
        """A watch of the group."""
        return GroupWatch(self._observer(), PERCENT, settle_s)

    def watching_web(self, settle_s: float) -> WebWatch:
        """A watch of the group as a web farm, whose pages come from members that are active."""
        visitor = cast(
            "Visitor",
            SimpleNamespace(lost=[], request_count=99, was_served_by=self.was_served_by, pages_by_server=self.shares),
        )
        return WebWatch(self._observer(self.was_served_by), PERCENT, settle_s, visitor=visitor)

    def _observer(self, serves: Callable[[str], bool] | None = None) -> Observer:
        settings = Settings(
            stack=Stack("x", "1", "CREATE_COMPLETE"),
            group="group",
            min_size=self.min_size,
            max_size=self.max_size,
            cooldown_s=self.timing.cooldown_s,
            policies={"up": Policy("up", "", ""), "down": Policy("down", "", "")},
            alarms={name: self.alarm(name) for name in ("high", "low")},
        )
        members = cast("MemberShells", Shells(self))
        return Observer(Cloud("overcloud"), settings, members, 1, self.timing, serves)


@dataclass
class Shells:
    """Shells on all members."""

    cloud: Simulation

    def shell(self, server: Server) -> OneShell:
        return OneShell(self.cloud, server.name)


@dataclass
class OneShell:
    """A shell on a member."""

    cloud: Simulation
    name: str

    def run(self, command: Command) -> Result:
        return self.cloud.on(self.name, command)
