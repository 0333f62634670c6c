"""Monitors: windows by version and arm, limits by interval, drift with its cause."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from promptyard.records.live import Feedback, Outcome, StoredEvent
from promptyard.records.monitoring import MonitorPlan, MonitorReport
from promptyard.release.monitors import monitor

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
HOUR = 3600.0


def stamp(age_h: float) -> str:
    return (NOW - timedelta(hours=age_h)).isoformat(timespec="microseconds")


class Traffic:
    """Builds stored events, numbered in order."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []

    def add(self, age_h: float, **about: Any) -> str:
        seq = len(self.events) + 1
        values: dict[str, Any] = {
            "id": f"o{seq}",
            "prompt": "p",
            "version": 1,
            "digest": "d",
            "at": stamp(age_h),
            "subject": f"s{seq}",
        }
        outcome = Outcome.model_validate(values | about)
        self.events.append(StoredEvent(seq=seq, stored_at=stamp(age_h), event=outcome))
        return outcome.id

    def say(self, outcome_id: str, age_h: float, **about: Any) -> None:
        seq = len(self.events) + 1
        values: dict[str, Any] = {"id": f"f{seq}", "prompt": "p", "at": stamp(age_h)}
        feedback = Feedback.model_validate(values | {"outcome_id": outcome_id} | about)
        self.events.append(StoredEvent(seq=seq, stored_at=stamp(age_h), event=feedback))

    def look(self, *, anchors_moved: bool | None = None, **plan: Any) -> MonitorReport:
        return monitor(
            "p",
            self.events,
            MonitorPlan.model_validate({"window_s": 24 * HOUR} | plan),
            now=stamp(0),
            anchors_moved=anchors_moved,
        )


def two_windows(n: int = 300, *, then: dict[str, Any] | None = None, seed: int = 0) -> Traffic:
    """`n` outcomes the day before yesterday and `n` in the last hours, with `then`."""
    dice, traffic = random.Random(seed), Traffic()
    for age_h, about in ((48.0, {}), (3.0, then or {})):
        for _ in range(n):
            values: dict[str, Any] = {
                "latency_s": dice.uniform(0.1, 1.0),
                "cost_usd": 0.001,
                "input_tokens": 10,
                "output_tokens": 5,
                "scores": {"score": float(dice.random() < 0.8)},
                "features": {"input_chars": dice.randrange(50, 500)},
                "hard_failure": False,
            }
            traffic.add(age_h, **(values | about))
    return traffic


def test_a_window_is_summed_up_by_version_and_arm() -> None:
    traffic = Traffic()
    for number in range(100):
        arm = "treatment" if number % 2 else "control"
        traffic.add(
            1.0,
            version=2 if number % 2 else 1,
            arm=arm,
            latency_s=number / 100,
            cost_usd=0.002,
            input_tokens=8,
            error="boom" if number < 10 else "",
            model="m1",
        )
    first, second = traffic.look().windows
    assert (first.version, first.arm, second.version, second.arm) == (1, "control", 2, "treatment")
    assert (first.n_outcomes, first.n_errors, first.n_hard_failures) == (50, 5, 5)
    assert first.latency_p50_s == pytest.approx(0.49)
    assert (first.tokens, first.cost_usd, first.total_cost_usd) == pytest.approx((8, 0.002, 0.1))
    assert first.models == {"m1": 50}
    assert first.score is None


def test_feedback_joins_its_outcome_and_the_latest_of_a_name_counts() -> None:
    traffic = Traffic()
    ids = [traffic.add(2.0, scores={"score": 0.0}) for _ in range(60)]
    for outcome_id in ids:
        traffic.say(outcome_id, 1.0, scores={"score": 0.5})
        traffic.say(outcome_id, 0.5, scores={"score": 1.0}, hard_failure=True)
    (window,) = traffic.look(limits={"hard_failure_rate": None}).windows
    assert (window.score, window.n_hard_failures) == (1.0, 60)


def test_quiet_traffic_raises_no_alert() -> None:
    report = two_windows().look()
    assert report.status == "pass", report.sentence
    assert (report.n_reference, report.n_window) == (300, 300)
    assert {item.what for item in report.drifts} >= {"inputs.input_chars", "score"}


@pytest.mark.parametrize(
    ("limits", "then", "metric"),
    [
        ({}, {"error": "timeout"}, "error_rate"),
        ({}, {"hard_failure": True}, "hard_failure_rate"),
        ({"latency_p95_s": 2.0}, {"latency_s": 3.0}, "latency_p95_s"),
        ({"cost_usd": 0.01}, {"cost_usd": 0.02}, "cost_usd"),
        ({"score": 0.7}, {"scores": {"score": 0.2}}, "score"),
    ],
)
def test_a_limit_that_is_passed_is_alerted(
    limits: dict[str, float], then: dict[str, Any], metric: str
) -> None:
    report = two_windows(then=then).look(limits=limits)
    assert report.status == "fail"
    assert metric in {alert.metric for alert in report.alerts if alert.kind == "threshold"}
    within = two_windows().look(limits=limits)
    assert not [alert for alert in within.alerts if alert.kind == "threshold"]


def test_a_rate_above_its_limit_by_chance_is_no_alert() -> None:
    traffic = two_windows(100)
    for _ in range(8):
        traffic.add(1.0, error="boom", features={"input_chars": 100})
    report = traffic.look(limits={"error_rate": 0.05, "hard_failure_rate": None})
    assert report.windows[0].n_errors / report.windows[0].n_outcomes > 0.05
    assert report.status == "pass"


def test_few_outcomes_say_nothing() -> None:
    traffic = Traffic()
    for _ in range(20):
        traffic.add(1.0, error="boom")
    report = traffic.look()
    assert (report.status, report.alerts) == ("inconclusive", ())
    assert "Too little traffic" in report.sentence


def test_longer_inputs_are_the_users_doing() -> None:
    report = two_windows(then={"features": {"input_chars": 2_000}}).look()
    (alert,) = [alert for alert in report.alerts if alert.kind == "input_drift"]
    assert (alert.metric, alert.cause) == ("inputs.input_chars", "users")
    assert alert.value > alert.limit


@pytest.mark.parametrize(
    ("anchors_moved", "cause"),
    [(None, "unknown"), (True, "model_or_judge"), (False, "unknown")],
)
def test_scores_that_fall_are_laid_at_the_door_that_anchors_show(
    anchors_moved: bool | None, cause: str
) -> None:
    report = two_windows(then={"scores": {"score": 0.0}}).look(anchors_moved=anchors_moved)
    (alert,) = [alert for alert in report.alerts if alert.kind == "score_drift"]
    assert alert.cause == cause


def test_scores_that_fall_with_other_inputs_while_anchors_stand_are_the_users() -> None:
    then = {"scores": {"score": 0.0}, "features": {"input_chars": 2_000}}
    report = two_windows(then=then).look(anchors_moved=False)
    assert {alert.cause for alert in report.alerts} == {"users"}


def test_another_version_is_no_drift_of_scores() -> None:
    report = two_windows(then={"version": 2, "scores": {"score": 0.0}}).look()
    assert not [item for item in report.drifts if item.what == "score"]


def test_a_new_topic_in_stored_inputs_is_told_by_its_words() -> None:
    dice, traffic = random.Random(1), Traffic()
    common = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200)]
    for age_h, extra in ((48.0, ""), (2.0, " refund chargeback")):
        for _ in range(250):
            text = " ".join(dice.choices(common, k=15)) + (extra if dice.random() < 0.7 else "")
            traffic.add(age_h, inputs={"ticket": text})
    report = traffic.look()
    (reading,) = [item for item in report.drifts if item.what == "inputs.words"]
    assert reading.is_drift
    assert reading.most_changed.startswith(("refund, chargeback", "chargeback, refund"))


def test_the_same_events_give_the_same_report() -> None:
    traffic = two_windows(then={"features": {"input_chars": 2_000}})
    assert traffic.look() == traffic.look()


LIMIT = 0.05
About: TypeAlias = dict[str, Any]


def few_subjects(
    seed: int, make: Callable[[random.Random], About], *, n_subjects: int = 60, n_calls: int = 20
) -> Traffic:
    """Subjects that each call often; `make(dice)` gives what all calls of one have in common."""
    dice, traffic = random.Random(seed), Traffic()
    for age_h in (48.0, 3.0):
        for number in range(n_subjects):
            common = make(dice)
            for _ in range(n_calls):
                traffic.add(age_h, subject=f"{age_h}-{number}", **common)
    return traffic


def either(field: str, bad: Any, good: Any, rate: float) -> Callable[[random.Random], About]:
    return lambda dice: {field: bad if dice.random() < rate else good}


@pytest.mark.parametrize(
    ("field", "bad", "good", "rate", "limits"),
    [
        ("error", "e", "", LIMIT, {"error_rate": LIMIT}),
        ("hard_failure", True, False, LIMIT, {"hard_failure_rate": LIMIT}),
        ("latency_s", 9.0, 1.0, 0.05, {"latency_p95_s": 5.0}),
        ("cost_usd", 1.5, 0.5, 0.5, {"cost_usd": 1.0}),
    ],
)
def test_calls_of_one_subject_count_as_one_word_on_a_limit(
    field: str, bad: Any, good: Any, rate: float, limits: dict[str, float]
) -> None:
    """At a true rate equal to its limit few looks alarm, although every subject calls 20 times."""
    no_other: dict[str, float | None] = {"error_rate": None, "hard_failure_rate": None}
    make = either(field, bad, good, rate)
    looks = [few_subjects(seed, make).look(limits=no_other | limits) for seed in range(30)]
    n_alarms = sum(item.kind == "threshold" for look in looks for item in look.alerts)
    assert n_alarms <= 2


def test_a_rate_far_above_its_limit_is_alerted_on_few_subjects_too() -> None:
    traffic = few_subjects(1, either("error", "e", "", 0.4))
    assert "error_rate" in [item.metric for item in traffic.look().alerts]


def test_drift_is_looked_for_in_one_value_a_subject() -> None:
    """Sixty subjects of another length each are no drift, however often they call."""

    def make(dice: random.Random) -> dict[str, Any]:
        length = dice.gauss(500, 150)
        score = min(1.0, max(0.0, length / 1000))
        return {"features": {"input_chars": length}, "scores": {"score": score}}

    looks = [few_subjects(seed, make).look() for seed in range(5)]
    assert not [alert for look in looks for alert in look.alerts]
    many = [few_subjects(seed, make, n_subjects=300, n_calls=3).look() for seed in range(3)]
    assert not [alert for look in many for alert in look.alerts]
    assert all(item.n == 300 for look in many for item in look.drifts)
