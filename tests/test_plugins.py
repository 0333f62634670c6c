from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from promptyard.errors import ConfigError
from promptyard.plugins import resolve

TABLE: Mapping[str, str] = {"exact_match": "built-in", "json-schema": "schema", ".jsonl": "lines"}
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install real distributions: a module and its metadata in a folder on the path."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def install_one(
        distribution: str, source: str, group: str = "metrics", **entry_points: str
    ) -> None:
        module = distribution.replace("-", "_")
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(source)
        metadata = tmp_path / f"{module}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        lines = [f"{name} = {module}:{target}" for name, target in entry_points.items()]
        (metadata / "entry_points.txt").write_text(
            f"[promptyard.{group}]\n" + "\n".join(lines) + "\n"
        )
        importlib.invalidate_caches()

    return install_one


def refusal(name: str, table_name: str = "metrics") -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(table_name, name, TABLE)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["exact_match", "exact-match", "Exact-Match", " exact_match "])
def test_dashes_underscores_and_capitals_do_not_matter(name: str) -> None:
    assert resolve("metrics", name, TABLE) == "built-in"


def test_the_table_may_be_written_with_dashes_as_well() -> None:
    assert resolve("metrics", "json_schema", TABLE) == "schema"
    assert resolve("importers", ".jsonl", TABLE) == "lines"


def test_an_unknown_name_names_the_nearest_known_one() -> None:
    assert refusal("exact_mtach") == (
        "metrics: unknown name 'exact_mtach'; did you mean 'exact_match'?"
    )
    assert refusal("json schema").endswith("did you mean 'json-schema'?")


def test_a_name_like_no_other_lists_all() -> None:
    assert refusal("zzz").endswith("unknown name 'zzz'; known: exact_match, json-schema, .jsonl")


def test_a_plugin_is_found_by_its_name(install: Install) -> None:
    install("yard-tone", "class Tone:\n    name = 'tone'\n", polite_tone="Tone")
    found: object = resolve("metrics", "polite-tone", dict[str, object]())
    assert getattr(found, "name", None) == "tone"
    assert "did you mean 'polite_tone'?" in refusal("polite_tome")


def test_a_plugin_of_another_table_is_not_found(install: Install) -> None:
    install("yard-tone", "Tone = 1\n", group="generators", tone="Tone")
    assert "unknown name 'tone'" in refusal("tone")
    assert resolve("generators", "tone", dict[str, int]()) == 1


def test_a_plugin_cannot_take_a_built_in_name(install: Install) -> None:
    install("yard-other", "raise RuntimeError('imported')\n", exact_match="Other")
    assert resolve("metrics", "exact_match", TABLE) == "built-in"


def test_only_the_plugin_that_is_asked_for_is_imported(install: Install) -> None:
    install("yard-good", "Good = 'good'\n", good="Good")
    install("yard-bad", "raise RuntimeError('imported')\n", bad="Bad")
    assert resolve("metrics", "good", TABLE) == "good"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there_at_all\n", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("raise RuntimeError('two\\nlines')\n", "RuntimeError: two lines"),
        ("x = 1\n", "AttributeError: "),
        ("def broken(:\n", "SyntaxError: "),
    ],
)
def test_a_plugin_that_cannot_be_imported_names_its_distribution(
    source: str, reason: str, install: Install
) -> None:
    install("yard-broken", source, tone="Tone")
    message = refusal("tone")
    assert "the plugin 'tone' of yard-broken 1.2 cannot be imported" in message
    assert reason in message


def test_two_plugins_of_one_name_are_refused(install: Install) -> None:
    install("yard-one", "Tone = 1\n", tone="Tone")
    install("yard-two", "Tone = 2\n", Tone="Tone")
    message = refusal("tone")
    assert "'tone' is the name of several plugins (yard-one 1.2, yard-two 1.2)" in message


def test_built_in_names_are_resolved_without_looking_for_plugins() -> None:
    program = (
        "import sys; from promptyard.plugins import resolve; resolve('metrics', 'a', {'a': 1}); "
        "sys.exit('importlib.metadata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
