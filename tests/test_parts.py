from __future__ import annotations

import subprocess
import sys

import pytest

from promptyard.parts import Parts

PLACES: dict[str, object] = {"text": "conftest_of_nobody:Nothing", "own": object, "dump": "json:x"}


def test_names_are_known_without_an_import() -> None:
    table = Parts[object]("promptyard.nowhere", PLACES)
    assert list(table) == list(PLACES)
    assert len(table) == 3
    assert "text" in table
    assert "other" not in table


def test_a_part_is_imported_when_it_is_asked_for_and_stays() -> None:
    table = Parts[object]("promptyard.metrics", {"equals": "equals:Equals", "own": object})
    equals = table["equals"]
    assert equals is table["equals"]
    assert getattr(equals, "name", None) == "equals"
    assert table["own"] is object
    assert dict(table) == {"equals": equals, "own": object}


def test_an_unknown_name_and_a_part_that_is_not_there_are_told_apart() -> None:
    table = Parts[object]("promptyard.nowhere", PLACES)
    with pytest.raises(KeyError, match="other"):
        table["other"]
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        table["text"]


def test_a_task_imports_the_checks_that_it_names_and_no_others() -> None:
    code = (
        "import sys\n"
        "import promptyard as py\n"
        "from promptyard.line.wiring import metrics_of\n"
        "rows = [{'input': {'t': s}, 'expected': s, 'split': s}"
        " for s in ('train', 'dev', 'holdout')]\n"
        "task = py.Task(name='t', prompt='user:\\n{{t}}\\n', cases=rows, metrics=['exact_match'])\n"
        "metrics_of(task)\n"
        "assert 'promptyard.metrics.equals' in sys.modules\n"
        "assert 'promptyard.metrics.rouge' not in sys.modules\n"
        "assert 'promptyard.evalset.foreign' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
