"""Watching a web farm: the same as any group, and a visitor at its balancer (AS 1.3.1, 1.3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from blocks.remote.cloud_errors import CertificateRejected, CloudUnreachable
from blocks.remote.connection import Watch
from blocks.remote.errors import WaitExpired
from blocks.remote.waiting import wait_until
from tasks.autoscaling import timeline as seen
from tasks.autoscaling.group.group import read_activity
from tasks.autoscaling.group.pool import departures
from tasks.autoscaling.group.webhook import WebhookRefused, post_webhook
from tasks.autoscaling.group.website import Visitor
from tasks.autoscaling.judging.findings import Finding, Kind
from tasks.autoscaling.timeline import Direction
from tasks.autoscaling.watching.watch import SOON_S, GroupWatch

# The visitor asks four times a second, so that each of some members comes by well within this.
_BALANCING_S = 15.0


@dataclass
class WebWatch(GroupWatch):
    """One check of one web farm; a member counts once the page has come from it.

    Attributes:
        visitor: Who asks for the page all the time.
    """

    visitor: Visitor | None = None
    _unbalanced: str = ""

    def _load_and_watch(self, watch: Watch) -> None:
        """Load every member, add one by the webhook, and watch the alarm add the others."""
        self._wait_for_cooldown(watch)
        self.load_on = datetime.now(UTC)
        self._load_members(watch)
        self.post("up", watch)
        self._watch("up", lambda now: len(now.ready) >= self.settings.max_size, watch)
        self._check_balancing()

    def post(self, direction: Direction, watch: Watch) -> None:
        """Call a policy's webhook as anybody may who has its address (AS 1.3.1: `curl -X POST`)."""
        at, status = datetime.now(UTC), 200
        try:
            post_webhook(self.cloud, self.settings.policies[direction])
        except WebhookRefused as refused:
            status = refused.status or 500
            watch.line(refused.message)
        except (CloudUnreachable, CertificateRejected) as silent:
            status = 0
            watch.line(silent.message)
        self.webhook_calls.append(seen.WebhookCall(at, direction, status))
        watch.line(f"POST to the webhook to scale {direction}: {status or 'no answer'}")

    def _load_members(self, watch: Watch) -> None:
        """Load the members that there are, before the webhook adds one."""

        def look() -> str:
            now = self.outages.call(lambda: self._observe("load"), watch)
            self.observations += [now] if now else []
            return "on" if now else "not told by the cloud"

        wait_until(self.cloud.name, "the members' load", "on", look, 2 * self.settle_s, every_s=SOON_S, steady=True)

    def _wait_for_cooldown(self, watch: Watch) -> None:
        """Wait for the end of the cooldown that making the group began: Heat drops what comes in it."""

        def look() -> str:
            return self.outages.call(activity, watch) or "not told by the cloud"

        def activity() -> str:
            now = read_activity(self.cloud, self.settings.stack, self.settings.group)
            resting = now.cooldown_ends is not None and now.cooldown_ends > datetime.now(UTC)
            return "busy" if now.scaling or resting else "idle"

        within_s = self.settings.cooldown_s + self.settle_s
        wait_until(self.cloud.name, f"group {self.settings.group}", "idle", look, within_s, every_s=2, steady=True)

    def _pause_s(self, direction: Direction) -> float:
        """The member that the webhook adds comes at once; until it serves, it is the visitor who asks."""
        awaited = direction == "up" and len(self.observer.servers) <= self.settings.min_size
        return SOON_S if awaited else super()._pause_s(direction)

    def _check_balancing(self) -> None:
        """Note it where the balancer does not send visitors to every member in its turn."""
        names = [server.name for server in self.observer.servers.values()]
        if self.visitor is None or len(self.observations[-1].ready) < len(names):
            return
        visitor, last = self.visitor, 4 * len(names)

        def look() -> str:
            turns = visitor.pages_by_server(names, last)
            return "in turn" if all(turns.values()) else ", ".join(f"{name} {n} times" for name, n in turns.items())

        try:
            wait_until(self.cloud.name, f"of the last {last} pages each member's", "in turn", look, _BALANCING_S)
        except WaitExpired as expired:
            self._unbalanced = expired.message

    def _is_by_check(self, reason: str, direction: Direction) -> bool:
        """A signal without an alarm's words is what our call to the webhook leaves."""
        return not reason.startswith("alarm state changed") and any(
            call.direction == direction for call in self.webhook_calls
        )

    def notes(self) -> list[str]:
        """What went well is worth a word, too: it was looked at."""
        lines = [str(self.call_rate)]  # a member counts once it serves, which is later than Heat's word
        if self.visitor is not None and not self.visitor.lost:
            lines.append(f"{self.visitor.request_count} requests of a visitor, none was lost.")
        well = sum(departure.left_pool_first for departure in departures(self.history.events, self.observer.types))
        return [*lines, f"Members that left the pool before their servers went: {well}."] if well else lines

    def findings(self) -> list[Finding]:
        """What the visitor saw."""
        found = super().findings()
        if self.visitor is not None and self.visitor.lost:
            first = self.visitor.lost[0]
            said = (
                f"{len(self.visitor.lost)} of {self.visitor.request_count} requests were lost; the first: {first.why}"
            )
            found.append(Finding(Kind.REQUESTS_LOST, said, first.at))
        if self._unbalanced:
            found.append(Finding(Kind.NOT_BALANCED, self._unbalanced))
        for departure in departures(self.history.events, self.observer.types):
            if not departure.left_pool_first:
                said = f"the server of {departure.member} was deleted while the pool still had it"
                found.append(Finding(Kind.LEFT_IN_POOL, said, departure.event.at))
        return found
