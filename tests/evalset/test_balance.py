from __future__ import annotations

from collections.abc import Sequence

from promptyard.evalset.balance import balance_findings, label_counts
from promptyard.evalset.findings import Finding
from promptyard.records.base import Json
from promptyard.records.cases import SPLITS, Case, CaseKind, EvalSet, SplitName


def case(
    number: int,
    split: SplitName,
    expected: Json = None,
    *,
    kind: CaseKind = "representative",
    tags: Sequence[str] = (),
) -> Case:
    return Case(
        id=f"c{number}",
        input={"n": number},
        expected=expected,
        kind=kind,
        tags=tuple(tags),
        split=split,
    )


def eval_set(cases: Sequence[Case]) -> EvalSet:
    return EvalSet(name="x", cases=tuple(cases), version="v")


def by_code(cases: Sequence[Case]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in balance_findings(eval_set(cases)):
        found.setdefault(finding.code, []).append(finding)
    return found


def spread(n: int, labels: Sequence[Json]) -> list[Case]:
    return [case(i, SPLITS[i % 3], labels[(i // 3) % len(labels)]) for i in range(n)]


def test_labels_are_counted_per_split_most_frequent_first() -> None:
    cases = [*spread(12, ["a", "b"]), case(20, "dev", "b"), case(21, "dev", {"not": "a label"})]
    assert label_counts(eval_set(cases), "dev") == {"b": 3, "a": 2}
    assert list(label_counts(eval_set(cases), "dev") or {}) == ["b", "a"]


def test_texts_that_do_not_repeat_are_no_labels() -> None:
    assert label_counts(eval_set(spread(30, [f"answer {i}" for i in range(10)])), "dev") is not None
    assert label_counts(eval_set(spread(30, [str(i) for i in range(30)])), "dev") == {
        str(i): 1 for i in range(10)
    }
    free = [case(i, SPLITS[i % 3], f"answer {i}") for i in range(30)]
    assert label_counts(eval_set(free), "dev") is None
    many = [case(i, SPLITS[i % 3], f"label {i % 201}") for i in range(804)]
    assert label_counts(eval_set(many), "dev") is None
    assert label_counts(eval_set([case(1, "dev", {"a": 1})]), "dev") is None


def test_one_label_for_all_is_an_error() -> None:
    found = by_code(spread(9, ["yes"]))
    assert [item.level for item in found["one_label"]] == ["error"]
    assert "every case expects 'yes'" in found["one_label"][0].message
    assert "one_label" not in by_code([*spread(9, ["yes"]), case(20, "dev", None)])
    assert "one_label" not in by_code([case(0, "dev", "yes")])


def test_a_label_that_a_split_lacks_is_named() -> None:
    cases = spread(30, ["a", "b"]) + [case(40 + i, "train", "rare") for i in range(16)]
    dev, holdout = by_code(cases)["label_missing"]
    assert dev.message == "dev has no case of 1 of 3 labels: rare"
    assert (dev.level, holdout.level) == ("warning", "warning")


def test_a_rare_label_may_be_missing_by_chance() -> None:
    cases = [*spread(30, ["a", "b"]), case(40, "train", "rare"), case(41, "train", "rare")]
    assert {item.level for item in by_code(cases)["label_missing"]} == {"info"}


def test_kinds_and_tags_that_a_split_lacks_are_named() -> None:
    cases = spread(30, ["a", "b"])
    cases += [case(40 + i, "train", "a", kind="edge", tags=["billing"]) for i in range(16)]
    dev, holdout = by_code(cases)["stratum_missing"]
    assert dev.message == "dev has no case of kind 'edge', tag 'billing'"
    assert holdout.level == "warning"


def test_a_stratum_far_from_its_share_is_reported() -> None:
    cases = [case(i, "train", tags=["x"]) for i in range(90)]
    cases += [case(100 + i, "dev", tags=["x"]) for i in range(5)]
    cases += [case(200 + i, "dev") for i in range(85)] + [case(300, "holdout")]
    dev = next(f for f in by_code(cases)["unbalanced"] if f.message.startswith("dev"))
    assert dev.level == "info"
    assert "tag 'x' 5 instead of about 47" in dev.message


def test_an_even_spread_gives_no_finding() -> None:
    assert not by_code(spread(60, ["a", "b", "c"]))
