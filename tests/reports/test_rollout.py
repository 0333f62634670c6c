"""How a rollout stands, in words and in plots that repeat its numbers."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any, Literal

import pytest

from promptyard.records.rollouts import (
    Decision,
    Guard,
    GuardReading,
    RatioReading,
    Rollout,
    RolloutPlan,
    RolloutRecord,
    departure,
)
from promptyard.records.versions import Move
from promptyard.reports.rollout import (
    age_text,
    bounds_text,
    guard_amount,
    guard_rows,
    outcome_words,
    rollout_paragraph,
    share_words,
    thinned,
)
from promptyard.reports.rollout_html import rollout_html

START = "2026-11-27T10:00:00+00:00"
NOW = "2026-11-27T12:00:00+00:00"


def reading(dimension: str = "score", **changes: Any) -> GuardReading:
    values = {
        "dimension": dimension,
        "status": "open",
        "margin": 0.03,
        "worse": -1,
        "n_control": 412,
        "n_treatment": 405,
        "mean_control": 0.8,
        "mean_treatment": 0.79,
        "difference": -0.01,
        "low": -0.05,
        "high": 0.02,
        "sentence": f"{dimension} sentence",
    }
    return GuardReading.model_validate({**values, **changes})


def decision(seq: int = 1, **changes: Any) -> Decision:
    values = {
        "rollout_id": "v8-abc",
        "seq": seq,
        "at": START,
        "actor": "canary",
        "action": "hold",
        "state": "running",
        "step": 1,
        "enrolled": 0.1,
        "step_at": START,
    }
    return Decision.model_validate({**values, **changes})


def record(*decisions: Decision, prompt: str = "support", **plan: Any) -> RolloutRecord:
    rollout = Rollout(
        id="v8-abc",
        prompt=prompt,
        pointer="production",
        control=7,
        treatment=8,
        control_digest="c" * 64,
        treatment_digest="d" * 64,
        plan=RolloutPlan(**plan),
        started_at=START,
        started_by="ann",
        reason="shorter answers",
    )
    return RolloutRecord(rollout=rollout, decisions=decisions or (decision(),))


HELD = decision(
    5,
    guards=(reading(), reading("cost", status="unharmed"), reading("latency", status="no_data")),
    ratio=RatioReading(n_control=412, n_treatment=405, n_both=0, log_e=-1.0, is_alarm=False),
    reasons=("score: not shown yet; about 2,000 subjects an arm are needed",),
)


def test_a_running_rollout_says_where_it_is_what_is_shown_and_what_is_needed() -> None:
    said = rollout_paragraph(record(HELD), now=NOW, n_decisions=5)
    for part in (
        "puts v8 beside v7 behind production; it is running",
        "ann started it on 2026-11-27 10:00 UTC: shorter answers",
        "step 2 of 5: 10 % of the subjects take part, and half of these get v8",
        "405 subjects have met the new version, 412 the old one",
        "Shown to be no worse than allowed: cost.",
        "Not shown yet: score.",
        "Without data: slow answers.",
        "Still needed: score: not shown yet; about 2,000 subjects an arm are needed.",
        "Without proof it is rolled back in 6.92 days.",
        "5 decisions are on record.",
    ):
        assert part in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (decision(state="awaiting_approval"), "somebody other than ann (`promptyard canary app"),
        (decision(state="paused"), "until somebody resumes it (`promptyard canary resume supp"),
        (decision(action="advance"), "Still needed: 100 new subjects with an outcome in each arm"),
        (decision(), "Nothing has been measured yet."),
        (
            decision(state="rolled_back", sentence="Rolled back v8: it fails."),
            "it was rolled back by canary on 2026-11-27 10:00 UTC. Nothing has been measured yet. "
            "Rolled back v8: it fails.",
        ),
    ],
)
def test_every_state_says_what_comes_next(last: Decision, said: str) -> None:
    assert said in rollout_paragraph(record(last), now=NOW)


def test_an_ended_rollout_needs_nothing_more() -> None:
    said = rollout_paragraph(record(decision(state="promoted")), now=NOW)
    assert "Still needed" not in said
    assert "rolled back in" not in said


def left(kind: Literal["promote", "rollback"], to_number: int, **changes: Any) -> Move:
    values = {"actor": "bob", "reason": "", "moved_at": NOW, **changes}
    return Move(
        kind=kind, prompt="support", pointer="production", from_number=8, to_number=to_number,
        **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("move", "said", "words", "share"),
    [
        (None, "All traffic of production has v8 since.", "promoted", "all"),
        (
            left("rollback", 7, reason="too terse."),
            "On 2026-11-27 12:00 UTC bob moved production back from v8 to v7: too terse.",
            "promoted, taken back",
            "none",
        ),
        (
            left("promote", 9),
            "On 2026-11-27 12:00 UTC bob moved production on from v8 to v9.",
            "promoted, replaced",
            "none",
        ),
    ],
)
def test_a_promoted_rollout_says_what_became_of_its_version(
    move: Move | None, said: str, words: str, share: str
) -> None:
    ended = record(decision(state="promoted", enrolled=0.0)).model_copy(update={"left": move})
    assert said in rollout_paragraph(ended, now=NOW)
    assert outcome_words("promoted", move) == words
    assert share_words("promoted", 0.0, move) == share
    assert share in [text.strip() for text in page_of(ended).text]


def test_the_departure_is_the_first_move_away_after_the_promotion() -> None:
    rollout = record().rollout
    before = left("rollback", 6)
    promoted = Move(
        prompt="support", pointer="production", from_number=7, to_number=8, actor="canary",
        reason="", rollout_id="v8-abc",
    )  # fmt: skip
    elsewhere = left("promote", 9).model_copy(update={"pointer": "staging"})
    back, later = left("rollback", 7), left("promote", 9)
    assert departure(rollout, [before, promoted, elsewhere]) is None
    assert departure(rollout, [before, promoted, elsewhere, back, later]) == back
    assert departure(rollout, [before, back]) is None


def test_a_rollout_past_its_age_says_that_the_next_look_ends_it() -> None:
    assert "the next look rolls it back" in rollout_paragraph(record(max_age_s=60.0), now=NOW)


def test_intervals_count_in_margins_towards_harm() -> None:
    worse = reading(difference=-0.03, low=-0.06, high=0.03)
    slower = reading("latency", worse=1, margin=0.02, difference=0.01, low=-0.02, high=None)
    (score, latency) = guard_rows(decision(guards=(worse, slower)))
    assert (score.low, score.middle, score.high) == pytest.approx((-1.0, 1.0, 2.0))
    assert latency.low == pytest.approx(-1.0)
    assert latency.high is None
    assert (score.difference, score.margin) == ("-3.0 points", "-3.0 points")
    assert latency.bounds == "-2.0 to –"


def test_a_cost_is_a_ratio_in_percent() -> None:
    assert guard_amount("cost", 0.0953101798) == "+10.0 %"
    assert guard_amount("score", None) == "–"
    assert bounds_text(reading(low=None, high=None)) == "–"


def test_a_long_log_is_thinned_by_holds_only() -> None:
    decisions = [
        decision(n, action="advance" if n % 1_000 == 0 else "hold") for n in range(1, 5_001)
    ]
    kept = thinned(decisions, 300)
    assert 250 <= len(kept) <= 310
    assert [item.seq for item in kept if item.action == "advance"] == [1000, 2000, 3000, 4000, 5000]
    assert kept[-1] == decisions[-1]
    assert thinned(decisions[:10], 300) == decisions[:10]


def test_hours_and_days_are_said_as_a_person_says_them() -> None:
    assert (age_text(600.0), age_text(7 * 86400.0)) == ("10 min 0 s", "7 days")


class Page(HTMLParser):
    """What a browser would read: tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page_of(shown: RolloutRecord) -> Page:
    return Page(rollout_html(shown, now=NOW))


def test_the_page_draws_every_guard_and_its_course() -> None:
    earlier = decision(3, guards=(reading(n_control=100, n_treatment=100), reading("cost")))
    page = page_of(record(decision(1, action="start", actor="ann"), earlier, HELD))
    text = " ".join(" ".join(page.text).split())
    assert not page.open
    classes = [attributes.get("class") for _, attributes in page.tags]
    assert classes.count("curve") == 2, "a course needs two looks"
    assert classes.count("bounds") == 2
    assert sum(str(name).startswith("interval") for name in classes) == 3
    assert "405 / 412" in text
    assert "score sentence" in text
    assert "3 are on record" in text


def test_a_course_marks_the_decisions_that_changed_something() -> None:
    def looked(seq: int, n: int, **changes: Any) -> Decision:
        return decision(seq, guards=(reading(n_control=n, n_treatment=n),), **changes)

    close_by = looked(4, 101, action="advance", enrolled=0.5)
    page = page_of(
        record(
            looked(2, 50),
            looked(3, 100, action="advance", enrolled=0.25),
            close_by,
            looked(5, 200),
            looked(6, 400, action="promote", state="promoted"),
        )
    )
    marks = [attributes for _, attributes in page.tags if attributes.get("class") == "mark"]
    assert len(marks) == 3
    places = [float(str(mark["x1"])) for mark in marks]
    assert places == sorted(places)
    words = [text.strip() for text in page.text]
    assert "promoted" in words
    assert words.count("50 %") == 2, "in the course and in the log"
    assert words.count("25 %") == 1, "it would be written over the one beside it"


def test_the_axis_of_a_course_reaches_the_last_difference() -> None:
    course = [
        decision(seq, guards=(reading(n_control=50 * seq, difference=-0.32, high=-0.002),))
        for seq in (2, 3)
    ]
    words = [text.strip() for text in page_of(record(*course)).text]
    assert "-40.0" in words
    assert "+40.0" in words


def test_the_page_marks_how_a_rollout_ended() -> None:
    for state, status in (
        ("promoted", "pass"),
        ("rolled_back", "fail"),
        ("running", "inconclusive"),
    ):
        page = page_of(record(decision(state=state)))
        assert ("section", f"banner {status}") in [
            (tag, attributes.get("class")) for tag, attributes in page.tags
        ]


def test_a_rollout_without_a_look_has_a_page_without_plots() -> None:
    page = page_of(record(decision(action="start")))
    assert "svg" not in [tag for tag, _ in page.tags]


def test_what_people_wrote_is_shown_and_never_run() -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202e"
    page = rollout_html(
        record(
            decision(guards=(reading(hostile, sentence=hostile),), sentence=hostile, actor=hostile),
            prompt=hostile,
            guards=(Guard(dimension=hostile, margin=0.1),),
        ),
        now=NOW,
    )
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_the_same_rollout_gives_the_same_page() -> None:
    assert rollout_html(record(HELD), now=NOW) == rollout_html(record(HELD), now=NOW)
