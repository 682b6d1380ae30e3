"""What a visitor of a web farm finds, and which signals are the check's own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest

import tasks.autoscaling.watching.web_watch
from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CertificateRejected, CloudError, CloudUnreachable, ServiceFailed
from tasks.autoscaling import timeline as seen
from tasks.autoscaling.group.group import Activity, Group, Member, Server
from tasks.autoscaling.group.member_shells import MemberShells
from tasks.autoscaling.group.settings import Settings
from tasks.autoscaling.group.webhook import Policy, WebhookRefused
from tasks.autoscaling.group.website import LostRequest, Visitor
from tasks.autoscaling.judging.findings import Kind
from tasks.autoscaling.judging.verdict import judge
from tasks.autoscaling.timeline import Thresholds
from tasks.autoscaling.watching.observer import Observer
from tasks.autoscaling.watching.web_watch import WebWatch
from tasks.heat.events import Event
from tasks.telemetry.thresholds import Timing
from tests.unit.fakes import FakeClock, silent
from tests.unit.tasks.autoscaling.timelines import good

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NAMES = ("we-1", "we-2")


def watching(visitor: Visitor) -> WebWatch:
    policies = {"up": Policy("up", "", ""), "down": Policy("down", "", "")}
    settings = cast("Settings", cast("Any", Settings)(None, "webserver", 1, 3, 60.0, policies, {}))
    timing = Timing(60, 60, 2, 60, 60, 60)
    observer = Observer(Cloud("x"), settings, cast("MemberShells", None), 1, timing, visitor.was_served_by)
    servers = [Server(name, name, "ACTIVE", (), ()) for name in NAMES]
    observer.group = Group("webserver", "", tuple(Member(server.name, "CREATE_COMPLETE", server) for server in servers))
    watch = WebWatch(observer, Thresholds(95, 15), 300, visitor=visitor)
    watch.observations = [seen.Observation(AT, tuple(seen.MemberState(name, "ACTIVE", serves=True) for name in NAMES))]
    return watch


def test_a_farm_that_serves_everybody_in_turn_is_well() -> None:
    visitor = Visitor("http://192.0.2.80/")
    visitor._pages.extend(NAMES * 4)
    watch = watching(visitor)
    watch._check_balancing()
    assert watch.findings() == []


def test_what_was_looked_at_and_went_well_is_told() -> None:
    visitor = Visitor("http://192.0.2.80/")
    visitor.request_count = 400
    watch = watching(visitor)
    stack = "webfarm-1/7"
    watch.observer.types = {(stack, "server"): "OS::Nova::Server", (stack, "member"): "OS::Octavia::PoolMember"}
    for name, status in (("member", "DELETE_COMPLETE"), ("server", "DELETE_IN_PROGRESS")):
        watch.history.events.append(Event(name, AT, "webfarm-1", "7", name, status, ""))
    assert watch.notes()[1:] == [
        "400 requests of a visitor, none was lost.",
        "Members that left the pool before their servers went: 1.",
    ]


def test_a_lost_request_fails_the_check_with_its_reason() -> None:
    visitor = Visitor("http://192.0.2.80/")
    visitor.request_count, visitor.lost = 400, [LostRequest(AT, "ReadTimeout: 10 s")]
    (finding,) = watching(visitor).findings()
    assert finding.kind is Kind.REQUESTS_LOST
    assert "1 of 400 requests were lost; the first: ReadTimeout: 10 s" in str(finding)
    assert judge(good(), [finding]).outcome == "failed"


def test_a_member_that_the_balancer_leaves_out_fails_the_check(clock: FakeClock) -> None:
    visitor = Visitor("http://192.0.2.80/")
    visitor._pages.extend(["we-2", *["we-1"] * 8])
    watch = watching(visitor)
    watch._check_balancing()
    (finding,) = watch.findings()
    assert finding.kind is Kind.NOT_BALANCED
    assert "we-2 0 times" in str(finding)
    assert judge(good(), [finding]).outcome == "failed"


def test_a_member_that_the_balancer_has_only_just_taken_up_gets_its_turn(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor("http://192.0.2.80/")
    visitor._pages.extend(["we-2", *["we-1"] * 8])
    watch = watching(visitor)
    monkeypatch.setattr(time, "sleep", lambda _: visitor._pages.append("we-2"))
    watch._check_balancing()
    assert watch.findings() == []


def test_a_server_that_goes_while_the_pool_has_it_fails_the_check() -> None:
    watch = watching(Visitor("http://192.0.2.80/"))
    stack = "webfarm-1/7"
    watch.observer.types = {(stack, "server"): "OS::Nova::Server", (stack, "member"): "OS::Octavia::PoolMember"}
    watch.history.events = [Event("e", AT, "webfarm-1", "7", "server", "DELETE_IN_PROGRESS", "")]
    (finding,) = watch.findings()
    assert finding.kind is Kind.LEFT_IN_POOL
    assert judge(good(), [finding]).outcome == "failed"


def test_a_member_counts_once_the_page_has_come_from_it() -> None:
    visitor = Visitor("http://192.0.2.80/")
    visitor._pages.append("Hello, My name is we-1")
    watch = watching(visitor)
    observer = watch.observer
    assert [observer._member(server, None, None).serves for server in observer.servers.values()] == [True, False]


def test_a_signal_without_an_alarms_words_is_ours_once_we_have_called(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watching(Visitor("http://192.0.2.80/"))
    assert not watch._is_by_check("No signal details provided", "up")
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "post_webhook", lambda *_: None)
    watch.post("up", silent)
    assert watch._is_by_check("No signal details provided", "up")
    assert not watch._is_by_check("No signal details provided", "down")
    assert not watch._is_by_check("alarm state changed from ok to alarm", "up")


def test_a_webhook_that_refuses_is_put_on_record_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise WebhookRefused("x", "it answers 403", "", 403, "AccessDenied")

    watch = watching(Visitor("http://192.0.2.80/"))
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "post_webhook", refuse)
    watch.post("up", silent)
    assert [(call.direction, call.status) for call in watch.webhook_calls] == [("up", 403)]


@pytest.mark.parametrize("error", [CloudUnreachable("x", "connection reset"), CertificateRejected("x", "self-signed")])
def test_a_webhook_that_does_not_answer_is_put_on_record_and_not_called_again(
    monkeypatch: pytest.MonkeyPatch, error: CloudError
) -> None:
    def silence(*_: object) -> None:
        raise error

    watch = watching(Visitor("http://192.0.2.80/"))
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "post_webhook", silence)
    watch.post("up", silent)
    assert [(call.direction, call.status) for call in watch.webhook_calls] == [("up", 0)]


def test_a_cloud_that_fails_for_a_moment_before_the_webhook_is_called_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    answers: list[Any] = [CloudUnreachable("x", "502"), Activity(False, None, ""), ServiceFailed("x", "500"), None]

    def answer(*_: object, **__: object) -> Any:
        said = answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return said or seen.Observation(AT, ())

    watch = watching(Visitor("http://192.0.2.80/"))
    monkeypatch.setattr(tasks.autoscaling.watching.web_watch, "read_activity", answer)
    monkeypatch.setattr(watch, "_observe", answer)
    watch._wait_for_cooldown(silent)
    before = len(watch.observations)
    watch._load_members(silent)
    assert answers == []
    assert len(watch.observations) == before + 1
