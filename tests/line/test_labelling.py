"""A person labels: every answer is durable at once, nothing is asked twice, nothing is lost."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import ConfigError, EvalSetError, NotFound
from promptyard.line.eval_sets import eval_set_log, find_eval_set
from promptyard.line.label_session import (
    Labelling,
    LabelPlan,
    SavedLabels,
    open_labelling,
    save_labels,
)
from promptyard.line.labelling import parse_gold
from promptyard.line.sync import evaluate, run_sync
from promptyard.line.task import load_task
from promptyard.records.base import Json
from promptyard.records.labels import Label, output_hash
from promptyard.records.messages import OutputContract
from support.tiny_task import PROMPT, tiny_rows, write_tiny_task

TEXT = OutputContract()


class Desk:
    """A task, its store, and sessions on it."""

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.store = folder, store

    @contextlib.contextmanager
    def sit(self, labeller: str = "ann", **options: Any) -> Generator[Labelling]:
        plan = LabelPlan(task=self.folder, labeller=labeller, store=self.store, **options)
        with contextlib.closing(run_sync(open_labelling(plan))) as labelling:
            yield labelling

    def save(self, labelling: Labelling) -> SavedLabels:
        return run_sync(save_labels(labelling, self.store))

    def rows(self) -> dict[str, dict[str, Any]]:
        lines = (self.folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk whose task has been evaluated on dev."""
    folder, store = write_tiny_task(tmp_path / "tiny"), str(tmp_path / "store.db")
    evaluate(load_task(folder), store=store)
    return Desk(folder, store)


@pytest.fixture
def bare(tmp_path: Path) -> Desk:
    """A desk whose task has no store, so there are no outputs; two cases have no gold."""
    rows = tiny_rows()
    for row in rows[:2]:
        del row["expected"]
    return Desk(write_tiny_task(tmp_path / "tiny", rows), str(tmp_path / "none.db"))


def read_labels(path: Path) -> list[Label]:
    """Read our own lines of a labels file; one that is not there holds none."""
    return (
        []
        if not path.exists()
        else [Label.model_validate_json(line) for line in path.read_bytes().splitlines()]
    )


def test_verdicts_become_labels_of_the_outputs_that_were_shown(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        session = labelling.session
        assert len(session.items) == 6
        shown = [session.items[0], session.items[1]]
        session.judge("pass")
        session.judge("fail")
        saved = desk.save(labelling)
    assert (saved.n_verdicts, saved.n_golds, saved.change) == (2, 0, None)
    labels = read_labels(desk.folder / "labels.jsonl")
    assert [(label.case_id, label.label) for label in labels] == [
        (shown[0].case.id, "pass"),
        (shown[1].case.id, "fail"),
    ]
    assert [label.output for label in labels] == [item.output for item in shown]
    assert all(label.output_hash == output_hash(label.output or "") for label in labels)
    assert {label.labeller for label in labels} == {"ann"}


def test_golds_and_tags_become_a_child_version(desk: Desk) -> None:
    before = desk.rows()
    with desk.sit(only=("dev",)) as labelling:
        session = labelling.session
        first = session.current
        assert first is not None
        session.toggle_tags(["odd", "hard"])
        session.toggle_tags(["odd"])
        session.set_gold("top_up")
        session.skip()
        second = session.current
        assert second is not None
        session.toggle_tags(["hard"])
        saved = desk.save(labelling)
    assert saved.change is not None
    assert saved.change.change == "labelled by ann: 1 gold, 2 tagged"
    rows = desk.rows()
    assert rows[first.case.id] == {
        **before[first.case.id],
        "expected": "top_up",
        "tags": ["hard"],
    }
    assert rows[second.case.id] == {**before[second.case.id], "tags": ["hard"]}
    touched = {first.case.id, second.case.id}
    assert {k: v for k, v in rows.items() if k not in touched} == {
        k: v for k, v in before.items() if k not in touched
    }
    log = run_sync(eval_set_log(find_eval_set(str(desk.folder), desk.store)))
    assert [(item.number, item.parent_number) for item in log.versions] == [(1, None), (2, 1)]
    assert log.versions[1].is_working
    assert not (desk.folder / "labels.jsonl").exists()


def test_a_case_that_was_named_by_its_content_keeps_its_name(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "id"} for row in tiny_rows()]
    desk = Desk(write_tiny_task(tmp_path / "tiny", rows), str(tmp_path / "s.db"))
    with desk.sit() as labelling:
        item = labelling.session.current
        assert item is not None
        labelling.session.set_gold("age_limit")
        desk.save(labelling)
    eval_set = load_task(desk.folder).eval_set
    assert eval_set.cases[0].id == item.case.id
    assert eval_set.cases[0].expected == "age_limit"
    first_line = (desk.folder / "cases.jsonl").read_text().splitlines()[0]
    assert json.loads(first_line)["id"] == item.case.id


def test_a_session_goes_on_where_it_was_left_even_when_it_was_killed(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        labelling.session.judge("pass")
        labelling.session.skip()
        labelling.session.judge("fail")
        labelling.session.toggle_tags(["hard"])
    # nothing was saved: the process is gone
    with desk.sit(only=("dev",)) as again:
        session = again.session
        assert session.position == 3
        assert session.n_answered == 2
        assert session.current is not None
        assert session.tags(session.current.case) == ("hard",)
        session.judge("pass")
        session.judge("pass")
        session.judge("pass")
        assert session.current is None
        assert desk.save(again).n_verdicts == 5
    with desk.sit(only=("dev",)) as last:
        assert last.session.position == 1, "the skipped one is asked again"
        assert desk.save(last).n_verdicts == 0


def test_an_answer_can_be_taken_back(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        session = labelling.session
        session.back()
        assert session.position == 0
        session.judge("pass")
        session.back()
        assert session.current is not None
        assert session.verdict_on(session.current) == "pass"
        session.judge("fail")
        desk.save(labelling)
    (label,) = read_labels(desk.folder / "labels.jsonl")
    assert label.label == "fail"


def test_labellers_do_not_see_each_other(desk: Desk) -> None:
    for name, verdict in (("ann", "pass"), ("bob", "fail")):
        with desk.sit(name, only=("dev",)) as labelling:
            assert labelling.session.n_answered == 0
            labelling.session.judge("pass" if verdict == "pass" else "fail")
            desk.save(labelling)
    labels = read_labels(desk.folder / "labels.jsonl")
    assert [(label.labeller, label.label) for label in labels] == [("ann", "pass"), ("bob", "fail")]


def test_saving_after_a_crash_changes_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.sit(only=("dev",)) as labelling:
        labelling.session.judge("pass")
        labelling.session.set_gold("age_limit")
        monkeypatch.setattr(labelling.session, "mark_written", lambda: None)  # killed before it
        desk.save(labelling)
    labels, cases = ((desk.folder / name).read_bytes() for name in ("labels.jsonl", "cases.jsonl"))
    with desk.sit(only=("dev",)) as again:
        saved = desk.save(again)
    assert saved.change is None
    assert (desk.folder / "labels.jsonl").read_bytes() == labels
    assert (desk.folder / "cases.jsonl").read_bytes() == cases


def test_answers_on_an_input_that_changed_count_for_nothing(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        item = labelling.session.current
        assert item is not None
        labelling.session.set_gold("age_limit")
    rows = tiny_rows()
    row = next(row for row in rows if row["id"] == item.case.id)
    row["input"] = {"text": "something else"}
    write_tiny_task(desk.folder, rows)
    with desk.sit(only=("dev",)) as again:
        assert again.session.n_stale == 1
        assert again.session.expected(again.session.items[0].case) == row["expected"]
        assert desk.save(again).change is None


def test_what_became_of_the_file_while_a_person_labelled_is_kept(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        session = labelling.session
        first, second = session.items[0].case.id, session.items[1].case.id
        session.set_gold("age_limit")
        session.skip()
        session.set_gold("lost_card")
        rows = tiny_rows()
        changed = next(row for row in rows if row["id"] == second)
        changed["input"] = {"text": "another message"}
        new = {"id": "new", "input": {"text": "one more"}, "expected": "top_up", "split": "dev"}
        write_tiny_task(desk.folder, [*rows, new])
        desk.save(labelling)
    after = desk.rows()
    assert after["new"] == new
    assert after[first]["expected"] == "age_limit"
    assert after[second] == changed


def test_a_case_that_was_retired_meanwhile_costs_no_other_answer(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        session = labelling.session
        gone, kept = session.items[0].case.id, session.items[1].case.id
        session.set_gold("age_limit")
        session.skip()
        session.set_gold("lost_card")
        session.toggle_tags(["hard"])
    rows = [{**r, "retired": "odd"} if r["id"] == gone else r for r in tiny_rows()]
    write_tiny_task(desk.folder, rows)
    with desk.sit(only=("dev",)) as again:
        desk.save(again)
    assert desk.rows()[kept]["tags"] == ["hard"]
    assert desk.rows()[gone]["retired"] == "odd"


def test_without_a_run_golds_are_asked_for(bare: Desk) -> None:
    with bare.sit(only=("unlabelled",)) as labelling:
        session = labelling.session
        assert labelling.run_id is None
        assert [item.case.id for item in session.items] == ["lost_card-0", "lost_card-1"]
        with pytest.raises(EvalSetError, match="no output to judge"):
            session.judge("pass")
        session.set_gold("lost_card")
        assert session.position == 1
        assert bare.save(labelling).n_golds == 1
    with bare.sit(only=("unlabelled",)) as again:
        assert [item.case.id for item in again.session.items] == ["lost_card-1"]


def test_the_cases_can_be_narrowed(desk: Desk) -> None:
    report = evaluate(load_task(desk.folder), store=desk.store)
    failing = [trial.case_id for trial in report.trials if not trial.passed]
    assert 0 < len(failing) < 6
    with desk.sit(only=("failing",)) as labelling:
        assert [item.case.id for item in labelling.session.items] == failing
        assert labelling.session.items[0].findings[0].startswith("exact_match: wrong_value")
        labelling.session.judge("fail")
        desk.save(labelling)
    with desk.sit("bob", only=("failing", "unlabelled")) as labelling:
        assert [item.case.id for item in labelling.session.items] == failing[1:]
    for only, message in (
        (("faling",), "--only faling; did you mean 'failing'"),
        (("failing", "train"), "has no case to label that is failing and train"),
    ):
        with pytest.raises(EvalSetError, match=message), desk.sit(only=only):
            pass


def test_labels_written_by_hand_count_as_labels(desk: Desk) -> None:
    by_hand = '{"id": "lost_card-1", "label": "ok"}\n{"case_id": "lost_card-4", "label": ""}\n'
    (desk.folder / "labels.jsonl").write_text(by_hand)
    with desk.sit(only=("unlabelled", "dev")) as labelling:
        assert labelling.session.items[0].case.id == "lost_card-4"
        labelling.session.judge("fail")
        desk.save(labelling)
    assert (desk.folder / "labels.jsonl").read_text().startswith(by_hand)
    with (
        pytest.raises(EvalSetError, match=r"labels\.csv: labels are written as JSON lines"),
        desk.sit(labels=desk.folder / "labels.csv"),
    ):
        pass


def test_a_label_without_an_output_is_not_taken_for_one_on_a_later_answer(desk: Desk) -> None:
    with desk.sit(only=("dev",)) as labelling:
        before = {item.case.id: item.output for item in labelling.session.items}
    by_hand = "".join(json.dumps({"id": name, "label": "ok"}) + "\n" for name in before)
    (desk.folder / "labels.jsonl").write_text(by_hand)
    with (
        pytest.raises(EvalSetError, match="no case to label"),
        desk.sit(only=("unlabelled", "dev")),
    ):
        pass
    prompt = desk.folder / "prompt.md"
    prompt.write_text(prompt.read_text().replace("- lost_card\n", ""))
    evaluate(load_task(desk.folder), store=desk.store)
    with desk.sit(only=("unlabelled", "dev")) as labelling:
        asked = {item.case.id: item.output for item in labelling.session.items}
    with desk.sit(only=("dev",)) as labelling:
        after = {item.case.id: item.output for item in labelling.session.items}
    assert asked == {name: text for name, text in after.items() if text != before[name]}
    assert 0 < len(asked) < len(after)


def test_single_checks_are_judged_one_by_one(desk: Desk) -> None:
    with desk.sit(only=("dev",), metrics=("exact_match",)) as labelling:
        labelling.session.judge("pass")
        desk.save(labelling)
    (label,) = read_labels(desk.folder / "labels.jsonl")
    assert label.metric == "exact_match"
    with (
        pytest.raises(ConfigError, match="no check 'exact'; did you mean 'exact_match'"),
        desk.sit(metrics=("exact",)),
    ):
        pass


def test_a_run_is_chosen_by_its_id(desk: Desk) -> None:
    with desk.sit() as labelling:
        run_id = labelling.run_id
    assert run_id is not None
    evaluate(load_task(desk.folder), split="train", store=desk.store)
    with desk.sit(run=run_id) as labelling:
        with_output = {item.case.split for item in labelling.session.items if item.output}
        assert with_output == {"dev"}
    with desk.sit() as labelling:
        assert labelling.run_id != run_id
    with pytest.raises(NotFound, match="nobody"), desk.sit(run="nobody"):
        pass


def test_the_verdict_of_a_judge_is_not_shown(desk: Desk) -> None:
    """It would sway the person whom the judge is to be measured by."""
    from promptyard.line.label_session import findings_of
    from promptyard.testing.store_suite import sample_trial

    judged = sample_trial(0)
    assert judged.scores[0].judge is not None
    assert findings_of(judged) == ()


def test_golds_of_a_table_are_refused_and_stay_in_the_journal(tmp_path: Path) -> None:
    from support.tiny_task import TASK

    rows = "".join(
        f"{row['id']},{row['input']['text']},{row['expected']},{row['split']}\n"
        for row in tiny_rows()
    )
    folder = write_tiny_task(
        tmp_path / "tiny",
        task_yaml=TASK.replace("cases.jsonl", "cases.csv"),
        cases_csv="id,text,expected,split\n" + rows,
    )
    desk = Desk(folder, str(tmp_path / "s.db"))
    with desk.sit() as labelling:
        labelling.session.set_gold("age_limit")
        with pytest.raises(EvalSetError, match=r"only JSON lines .* evalset export"):
            desk.save(labelling)
    with desk.sit() as again:
        assert again.session.golds == {"lost_card-0": "age_limit"}


@pytest.mark.parametrize(
    ("text", "present", "gold"),
    [
        ("top_up", None, "top_up"),
        (" 12 ", "13", "12"),
        ('{"a": 1}', None, {"a": 1}),
        ('"{x}"', "y", "{x}"),
        ("3", 2, 3),
        ("true", {"a": 1}, True),
        ("a [b", "x", "a [b"),
    ],
)
def test_a_gold_is_read_as_the_present_one_is(text: str, present: Json, gold: Json) -> None:
    assert parse_gold(text, present, TEXT) == gold


@pytest.mark.parametrize(
    ("text", "present", "message"),
    [
        ("", None, "is empty"),
        ("two", 2, "no JSON"),
        ("{'a': 1}", None, "no JSON"),
        ("null", 2, "null is no gold"),
        ("[NaN]", None, "non-finite"),
    ],
)
def test_a_gold_that_cannot_be_read_is_refused(text: str, present: Json, message: str) -> None:
    with pytest.raises(EvalSetError, match=message):
        parse_gold(text, present, TEXT)


def test_a_label_task_takes_its_labels_only(tmp_path: Path) -> None:
    prompt = "---\noutput: {format: label, labels: [lost_card, top_up, age_limit]}\n---\n" + PROMPT
    desk = Desk(write_tiny_task(tmp_path / "t", prompt_md=prompt), str(tmp_path / "s.db"))
    with desk.sit() as labelling:
        with pytest.raises(EvalSetError, match="none of the labels; did you mean 'top_up'"):
            labelling.session.set_gold("top-up")
        labelling.session.set_gold("top_up")


@pytest.mark.parametrize("tag", ["", " ", "a\nb", "\x1b[31m"])
def test_a_tag_is_visible(desk: Desk, tag: str) -> None:
    with desk.sit() as labelling, pytest.raises(EvalSetError, match="is no tag"):
        labelling.session.toggle_tags(["fine", tag])


ACTIONS = st.lists(
    st.sampled_from(["pass", "fail", "skip", "back", "gold", "tag", "restart", "save"]),
    max_size=25,
)


@settings(max_examples=25)  # each is an eval, a store and up to a dozen sessions
@given(actions=ACTIONS)
def test_whatever_a_person_does_the_last_word_on_each_case_counts(
    actions: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Restarts and saves anywhere in between change nothing of the outcome."""
    tmp_path = tmp_path_factory.mktemp("desk")
    desk = Desk(write_tiny_task(tmp_path / "t", tiny_rows(3)), str(tmp_path / "s.db"))
    evaluate(load_task(desk.folder), store=desk.store)
    verdicts: dict[str, str] = {}
    golds: dict[str, str] = {}
    tags: dict[str, bool] = {}
    with contextlib.ExitStack() as stack:
        labelling = stack.enter_context(desk.sit(only=("dev",)))
        for number, action in enumerate(actions):
            session = labelling.session
            if action == "restart":
                stack.close()
                labelling = stack.enter_context(desk.sit(only=("dev",)))
            elif action == "save":
                desk.save(labelling)
            elif action == "back":
                session.back()
            elif session.current is not None:
                case_id = session.current.case.id
                if action in ("pass", "fail"):
                    session.judge("pass" if action == "pass" else "fail")
                    verdicts[case_id] = action
                elif action == "gold":
                    session.set_gold(f"gold {number}")
                    golds[case_id] = f"gold {number}"
                elif action == "tag":
                    session.toggle_tags(["t"])
                    tags[case_id] = not tags.get(case_id, False)
                else:
                    session.skip()
        desk.save(labelling)
    labels = read_labels(desk.folder / "labels.jsonl")
    assert {label.case_id: label.label for label in labels} == verdicts
    rows: Mapping[str, Any] = desk.rows()
    assert {name: rows[name]["expected"] for name in golds} == golds
    assert {name: "t" in rows[name].get("tags", ()) for name in tags} == tags
