from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from promptyard.records.runs import Run
from promptyard.reports.html import run_html
from promptyard.reports.plain import run_summary
from reports.sample_run import (
    BASELINE,
    HOSTILE,
    LABELS,
    dev_run,
    empty_run,
    failed_run,
    header,
    hostile_run,
    passed_run,
    undecided_run,
)

VOID = {"meta", "link", "br", "col", "img", "input", "hr"}
SVG_LEAVES = {"line", "rect", "circle", "path"}
RUNS = [passed_run, failed_run, undecided_run, dev_run, empty_run, hostile_run]


class Page(HTMLParser):
    """Reads a page: elements, attributes, texts; `problems` says where it is not well formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        if self._open:
            self.problems.append(f"never closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in SVG_LEAVES:
            self.problems.append(f"<{tag}/> closes itself")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> within {self._open[-3:]}")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text that a reader sees, white space folded."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(run: Run) -> Page:
    """Render and read a run's page."""
    return Page(run_html(run))


@pytest.mark.parametrize("make", RUNS)
def test_every_page_is_well_formed(make: Callable[[], Run]) -> None:
    html = run_html(make())
    assert html.startswith("<!DOCTYPE html>")
    assert Page(html).problems == []
    html.encode("utf-8")


@pytest.mark.parametrize("make", RUNS)
def test_a_page_loads_nothing_and_runs_nothing(make: Callable[[], Run]) -> None:
    html = run_html(make())
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag not in ("script", "img", "iframe", "object", "embed", "video", "audio", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
                assert value == "data:,"
    style = html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(item for item in page.all("meta") if "http-equiv" in item)
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize("make", RUNS)
def test_ids_are_unique_and_every_reference_has_its_target(make: Callable[[], Run]) -> None:
    page = page_of(make())
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = " ".join(item.get("aria-labelledby", "") for _, item in page.elements).split()
    assert set(references) <= set(ids)
    assert references


@pytest.mark.parametrize("make", RUNS)
def test_tables_have_captions_and_headings_go_down_one_by_one(make: Callable[[], Run]) -> None:
    page = page_of(make())
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table")
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert all(scope["scope"] in ("row", "col") for scope in page.all("th"))


def test_hostile_texts_are_shown_as_they_are_and_never_become_elements() -> None:
    html = run_html(hostile_run())
    page = Page(html)
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("</style>") == 1
    assert page.text.count(HOSTILE) > 20
    assert "<U+202E><U+001B>[31m" in page.text
    assert "\u202e" not in html
    assert "\x1b" not in html


@pytest.mark.parametrize("make", RUNS)
def test_the_same_run_gives_the_same_page(make: Callable[[], Run]) -> None:
    assert run_html(make()) == run_html(make())


def test_the_figures_of_the_page_are_those_of_the_record_and_of_the_plain_data() -> None:
    run = passed_run()
    text = page_of(run).text
    plain = run_summary(run, n_cases=1500, n_holdout=400, report_path=None)
    assert run.verdict.sentence in text
    assert f"{100 * plain['baseline_score']:.1f} %" in text
    assert f"{100 * plain['winner_score']:.1f} %" in text
    assert "+11.2 points" in text
    assert "95 % paired interval +7.2 to +15.2" in text
    assert "74 fixed, 29 broken" in text
    assert "version 2" in text
    assert f"{run.search_task_calls:,}" in text
    assert f"{run.naive_task_calls:,}" in text
    assert "14 % of the 14,000" in text
    assert "1,841,322" in text
    assert "$0.74 (14 calls without a known price)" in text
    assert "6 × rate_limited , 1 × timeout" in text


def test_every_dimension_has_its_row_in_units_of_its_own() -> None:
    text = page_of(passed_run()).text
    for row in (
        "Score 55.2 % 66.5 % +11.2 points +7.2 to +15.2 must be better pass",
        "Validity 98.2 % 99.8 % +1.5 points +0.3 to +2.7 may lose less than 3 points pass",
        "Latency 412 ms 447 ms +35.3 ms +24.3 ms to +46.3 ms reported only not gated",
        "Tokens 184 1,422 +1,238 +1,232 to +1,244 reported only not gated",
        "Cost $0.00011 $0.00042 +$0.00031 +$0.00029 to +$0.00033 reported only not gated",
    ):
        assert row in text


def test_every_candidate_of_every_stage_has_a_row() -> None:
    run = passed_run()
    text = page_of(run).text
    for stage in run.stages:
        assert f"{stage.stage} on {stage.split}: {stage.n_tried} tried, {stage.n_kept} kept" in text
        for row in stage.rows:
            assert row.candidate_id[:8] in text
    rows = sum(len(stage.rows) for stage in run.stages)
    badges = [item.get("class") for item in page_of(run).all("span")]
    assert badges.count("badge kept") + badges.count("badge dropped") == rows


def test_failures_stand_before_and_after_side_by_side() -> None:
    text = page_of(passed_run()).text
    assert "wrong_value 160 112" in text
    assert "invalid_enum in topic 13 2" in text
    assert "empty_output 0 2" in text
    assert f"{LABELS[0]} 34 21" in text
    assert f"{LABELS[0]} → {LABELS[1]} 19 8" in text
    assert f"{LABELS[7]} → {LABELS[0]} 0 5" in text


def test_the_prompt_diff_shows_changes_and_counts_demonstrations() -> None:
    html = run_html(passed_run())
    assert "<mark>: sent, not yet arrived</mark>" in html
    assert "37 more demonstrations (40 added here)" in html
    assert html.count('<tr class="removed">') == 2
    assert "unchanged lines" in html


def test_sections_come_in_the_order_in_which_they_are_asked_for() -> None:
    page = page_of(passed_run())
    order = [attributes["id"] for tag, attributes in page.elements if tag == "h2"]
    assert order == [
        "verdict",
        "dimensions",
        "trajectory",
        "served",
        "credits",
        "funnel",
        "failures",
        "diff",
        "spending",
        "rejected",
        "notes",
        "reading",
        "facts",
    ]


def test_the_banner_has_the_colour_of_the_verdict() -> None:
    for make, status in (
        (passed_run, "pass"),
        (failed_run, "fail"),
        (undecided_run, "inconclusive"),
    ):
        banner = next(item for item in page_of(make()).all("section"))
        assert banner["class"] == f"banner {status}"


def test_a_failed_run_names_the_broken_critical_cases_and_says_what_stays() -> None:
    text = page_of(failed_run()).text
    assert "Failed: the baseline stays" in text
    assert "Critical cases broken: refund-17" in text
    assert "baseline, then candidate, which is not used" in text
    assert "version 1 the baseline, which stays" in text


def test_a_run_without_a_decision_shows_what_it_tried() -> None:
    text = page_of(undecided_run()).text
    assert "No better prompt was found: the baseline stays" in text
    assert "Baseline on train 54.0 % 400 cases; the holdout stays sealed" in text
    assert "Failing train cases of the baseline" in text
    assert "Every dimension" not in text
    assert "wrong_value 160" in text
    assert "None" not in text


def test_a_run_cut_short_before_the_decision_says_that_it_is_not_decided() -> None:
    run = passed_run()
    cut = undecided_run().model_copy(update={"finalist": run.finalist})
    text = page_of(cut).text
    assert "Not decided: the baseline stays" in text
    assert "37 more demonstrations" in text


def test_a_run_with_nothing_in_it_has_a_page() -> None:
    text = page_of(empty_run()).text
    assert "No candidate entered the funnel." in text
    assert "Nothing was measured." in text
    assert "not measured" in text
    assert "None" not in text


def test_the_embedded_model_is_said_to_be_no_language_model() -> None:
    run = passed_run().model_copy(update={"header": header(task_model="embedded/lexical at x")})
    assert "embedded/lexical is no language model." in page_of(run).text
    assert "no language model" not in page_of(passed_run()).text


def test_a_run_that_is_not_finished_says_so() -> None:
    run = passed_run().model_copy(update={"status": "interrupted"})
    assert "This run is interrupted:" in page_of(run).text


def test_the_interval_level_is_the_one_that_was_asked_for() -> None:
    run = passed_run()
    first, *others = run.verdict.comparisons
    assert first.interval is not None
    wide = first.model_copy(update={"interval": first.interval.model_copy(update={"level": 0.9})})
    verdict = run.verdict.model_copy(update={"comparisons": (wide, *others)})
    text = page_of(run.model_copy(update={"verdict": verdict})).text
    assert "90 % paired interval" in text
    assert "90 % interval" in text
    assert "+24.3 ms to +46.3 ms (95 %)" in text


def test_charts_have_a_title_and_a_description() -> None:
    page = page_of(passed_run())
    charts = [item for item in page.all("svg") if item.get("role") == "img"]
    others = [item for item in page.all("svg") if item.get("role") != "img"]
    assert [item["class"] for item in charts] == ["trajectory wide", "trajectory narrow"] * 2
    assert all(item["aria-hidden"] == "true" for item in others)
    assert "decide (holdout): 1 score, best 66.5 % against 55.2 % of the baseline." in page.text


def test_the_whole_candidate_can_be_copied() -> None:
    run = passed_run()
    assert run.finalist is not None
    html = run_html(run)
    pre = html.split("<pre>")[1].split("</pre>")[0]
    assert Page(f"<pre>{pre}</pre>").texts[0] == run.finalist.prompt.text
    assert BASELINE.prompt.text != run.finalist.prompt.text


def test_texts_have_enough_contrast_in_light_and_dark() -> None:
    style = files("promptyard.reports").joinpath("templates/run.css").read_text("utf-8")
    light = _colours(style.split("@media")[0])
    dark = light | _colours(style.split("prefers-color-scheme: dark")[1].split("\n}")[0])
    pairs = [("ink", "page"), ("ink", "card"), ("soft", "page"), ("soft", "card"), ("soft", "sunk")]
    pairs += [("ink", f"{name}-back") for name in ("pass", "fail", "inconclusive")]
    pairs += [(name, f"{name}-back") for name in ("pass", "fail", "inconclusive")]
    pairs += [("card", name) for name in ("pass", "fail", "inconclusive", "holdout")]
    pairs += [("ink", "added"), ("ink", "removed"), ("ink", "added-mark"), ("ink", "removed-mark")]
    for colours in (light, dark):
        for front, back in pairs:
            assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)


def test_importing_the_page_does_not_load_the_template_library() -> None:
    check = "import sys, promptyard.reports.html; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def _colours(style: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", style))


def _contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_shows_what_was_served_mended_and_found_to_be_a_trap() -> None:
    page = page_of(passed_run())
    assert "What the search would have served" in page.text
    served = [item for item in page.all("path") if item.get("class") == "served"]
    assert len(served) == 3, "wide, narrow, legend"
    assert "8.0 points on 12 unseen cases, after 60 task calls" in page.text
    assert "label:pending_transfer mended 2 0 2 2" in page.text
    assert "invalid_enum not moved 2 2 2 1" in page.text
    assert "Traps found" in page.text
    assert "Always answer with the longest topic." in page.text
    empty = page_of(empty_run())
    for heading in ("would have served", "became of each failure", "Traps found"):
        assert heading not in empty.text


def test_each_changed_line_says_where_it_comes_from() -> None:
    page = page_of(passed_run())
    known = "reflect: label:card_payment_fee_charged (3 → 1 on 3 cases)"
    assert f"A fee named in the message decides. {known}" in page.text
    unmeasured = "reflect: label:card_payment_fee_charged (not measured alone)"
    assert page.text.count(unmeasured) == 2, "the old line and the one in its place"


def test_the_page_says_on_which_cases_the_verdict_rests() -> None:
    assert "The verdict rests on 400 cases of the sealed holdout, at look 1." in (
        page_of(passed_run()).text
    )
    dev = page_of(dev_run()).text
    assert "The verdict rests on 400 cases of dev" in dev
    assert "Every dimension on dev" in dev
    assert "sealed holdout" not in dev
    assert "The holdout is sealed" not in dev
    assert "rests on no case" in page_of(undecided_run()).text
