from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.looks import REFUSE_AT_LOOKS, WARN_AT_LOOKS, rule_on_look


@pytest.mark.parametrize(
    ("looks", "status"),
    [(1, "fine"), (4, "fine"), (5, "warn"), (19, "warn"), (20, "refuse"), (500, "refuse")],
)
def test_a_holdout_wears_out_look_by_look(looks: int, status: str) -> None:
    ruling = rule_on_look(looks)
    assert (ruling.status, ruling.looks) == (status, looks)
    assert bool(ruling.sentence) == (status != "fine")


@given(looks=st.integers(1, 100), new=st.booleans(), force=st.booleans())
def test_only_a_new_look_that_is_not_forced_is_refused(looks: int, new: bool, force: bool) -> None:
    ruling = rule_on_look(looks, new=new, force=force)
    refused = looks >= REFUSE_AT_LOOKS and new and not force
    assert (ruling.status == "refuse") == refused
    assert (ruling.status == "fine") == (looks < WARN_AT_LOOKS)


def test_a_person_is_told_how_often_and_what_to_do() -> None:
    assert "looked at 7 times; fresh cases" in rule_on_look(7).sentence
    refusal = rule_on_look(20).sentence
    assert "looked at 19 times" in refusal  # the twentieth did not happen
    assert "--force" in refusal
    assert "add fresh holdout cases" in refusal
    assert "looked at 20 times" in rule_on_look(20, force=True).sentence


def test_a_look_counts_itself() -> None:
    with pytest.raises(ValueError, match="0 looks"):
        rule_on_look(0)
