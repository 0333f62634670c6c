from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.check import EvalSetCheck, check_eval_set
from promptyard.evalset.split import assign_splits
from promptyard.records.base import Json
from promptyard.records.cases import SPLITS, Case, EvalSet


def check(*cases: Case, noninferiority: float = 0.03) -> EvalSetCheck:
    eval_set = EvalSet(name="support", cases=cases, version="v1")
    return check_eval_set(eval_set, alpha=0.05, noninferiority=noninferiority)


def good_cases(n: int) -> list[Case]:
    return [
        Case(
            id=f"c{i}",
            input={"text": f"message {i}"},
            expected="yes" if i % 2 else "no",
            kind="edge" if i % 10 == 0 else "representative",
            split=SPLITS[i % 3],
        )
        for i in range(n)
    ]


def codes(result: EvalSetCheck) -> list[str]:
    return [finding.code for finding in result.findings]


def test_a_good_set_has_no_findings() -> None:
    result = check(*good_cases(3000))
    assert result.ok
    assert result.findings == ()
    assert result.gates_can_pass
    assert result.margin_certifiable
    assert (result.name, result.version, result.n_cases) == ("support", "v1", 3000)


def test_the_contents_of_each_split_are_counted() -> None:
    clustered = Case(id="x", input={"a": 1}, expected="no", cluster="k", split="dev")
    again = clustered.model_copy(update={"id": "y", "input": {"a": 2}})
    result = check(*good_cases(60), clustered, again)
    dev = next(item for item in result.splits if item.split == "dev")
    assert (dev.n_cases, dev.n_clusters) == (22, 21)
    assert dev.kinds == {"representative": 20, "edge": 2}
    assert dev.labels == {"no": 12, "yes": 10}
    assert [item.split for item in result.splits] == list(SPLITS)
    assert [item.split for item in result.power] == ["dev", "holdout"]
    assert result.power[0].n_clusters == 21


def test_errors_come_first_and_make_the_set_not_ok() -> None:
    leak = Case(id="leak", input={"text": "Message 0!"}, expected="no", split="holdout")
    result = check(*good_cases(90), leak)
    assert not result.ok
    assert codes(result)[0] == "leak"
    assert [item.level for item in result.findings] == sorted(
        (item.level for item in result.findings), key=["error", "warning", "info"].index
    )


@pytest.mark.parametrize(
    "values", [{}, {"text": " \n"}, {"text": "", "more": None}, {"a": [], "b": {}}]
)
def test_an_empty_input_is_found(values: dict[str, Json]) -> None:
    result = check(*good_cases(3000), Case(id="e", input=values, expected="no", split="dev"))
    (finding,) = result.findings
    assert (finding.code, finding.level, finding.case_ids) == ("empty_input", "warning", ("e",))


@pytest.mark.parametrize("values", [{"n": 0}, {"flag": False}, {"text": "", "more": "x"}])
def test_a_small_input_is_not_empty(values: dict[str, Json]) -> None:
    result = check(*good_cases(3000), Case(id="e", input=values, expected="no", split="dev"))
    assert result.findings == ()


def test_retired_cases_are_counted_and_are_no_fault() -> None:
    eval_set = EvalSet(
        name="support", cases=tuple(good_cases(3000)), version="v1", retired={"old": "wrong"}
    )
    result = check_eval_set(eval_set, alpha=0.05, noninferiority=0.03)
    assert result.ok
    assert [(item.code, item.case_ids) for item in result.findings] == [("retired", ("old",))]


def test_a_number_that_is_not_finite_is_an_error() -> None:
    bad = Case(id="bad", input={"n": 1}, expected={"price": float("nan")}, split="dev")
    (finding,) = check(*good_cases(3000), bad).findings
    assert (finding.code, finding.level, finding.case_ids) == ("invalid_value", "error", ("bad",))
    assert "case 'bad': expected.price: non-finite number" in finding.message


def test_an_empty_split_is_no_finding_of_the_eval_set_and_keeps_the_gate_from_passing() -> None:
    result = check(*(item for item in good_cases(60) if item.split != "holdout"))
    assert result.ok
    assert not any("0 holdout" in item.message for item in result.findings)
    assert not result.gates_can_pass


def test_a_tiny_set_cannot_pass_the_gates() -> None:
    result = check(*good_cases(9))
    assert not result.gates_can_pass
    assert result.ok
    assert codes(result).count("no_power") == 2


def test_the_margin_asked_for_decides() -> None:
    cases = good_cases(360)
    assert not check(*cases, noninferiority=0.03).margin_certifiable
    assert check(*cases, noninferiority=0.08).margin_certifiable


def test_the_result_can_be_written_and_read() -> None:
    result = check(*good_cases(30))
    assert EvalSetCheck.model_validate_json(result.model_dump_json()) == result


def test_a_level_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha"):
        check_eval_set(
            EvalSet(name="x", cases=tuple(good_cases(9)), version="v"), alpha=0, noninferiority=0.03
        )


@given(
    st.lists(
        st.builds(
            Case,
            id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            input=st.dictionaries(st.sampled_from("ab"), st.text() | st.none() | st.floats()),
            expected=st.none() | st.sampled_from(["x\ny", "y", 1]),
            tags=st.lists(st.sampled_from("tu"), max_size=2).map(tuple),
            cluster=st.none() | st.sampled_from("kl"),
            split=st.sampled_from(SPLITS),
        ),
        max_size=15,
        unique_by=lambda case: case.id,
    )
)
def test_any_set_can_be_checked(cases: list[Case]) -> None:
    result = check(*cases)
    assert result.sentence
    assert sum(item.n_cases for item in result.splits) == len(cases)
    assert all(item.message.isprintable() for item in result.findings)


def test_a_set_that_was_split_here_keeps_its_version() -> None:
    cases = [item.model_copy(update={"split": None}) for item in good_cases(60)]
    eval_set = assign_splits(cases, seed=7, train=0.4, dev=0.3, holdout=0.3, name="support")
    result = check_eval_set(eval_set, alpha=0.05, noninferiority=0.03)
    assert result.version == eval_set.version
