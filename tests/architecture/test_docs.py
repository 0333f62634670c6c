"""The pages know every command, key and metric; what they name exists; their links resolve."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from promptyard.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.S | re.M)
HEADING = re.compile(r"^#{1,6} (.+)$", re.M)
ENTRY = re.compile(r"^- \*\*(.+?)\*\*: ", re.M)
COMMAND = re.compile(r"^(?:\S*/)?promptyard(?= )(.*)$", re.M)
INLINE = re.compile(r"`(promptyard [^`]+)`")
ADR_PARTS = (
    "Context",
    "Decision",
    "Alternatives",
    "Consequences",
    "How we will know it was wrong",
)


def commands(group: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command of the command line by its words."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        words = f"{prefix} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [words for words, _ in commands()])
def test_a_command_and_its_options_are_described(words: str) -> None:
    command = dict(commands())[words]
    section = read(REFERENCE / "cli.md").partition(f"## promptyard {words}\n")[2]
    section = section.partition("\n## ")[0]
    assert section, f"promptyard {words} is not in cli.md"
    assert command.help
    for parameter in command.params:
        shown = (
            parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
        )
        for name in shown:
            assert name in section, f"promptyard {words}: {name}"
        assert parameter.help, f"promptyard {words}: {parameter.name} has no help"


def test_every_key_of_the_configuration_is_described() -> None:
    from promptyard.config import ProjectConfig, TaskConfig
    from promptyard.config.load import ENVIRONMENT
    from promptyard.records.cases import Case, CheckSpec
    from promptyard.records.prompts import FRONT_MATTER_KEYS

    page = read(REFERENCE / "configuration.md")
    for name in (
        *all_keys(TaskConfig.model_json_schema()),
        *all_keys(ProjectConfig.model_json_schema()),
        *Case.model_fields,
        *(name for name in CheckSpec.model_fields if name != "options"),
        *FRONT_MATTER_KEYS,
        *ENVIRONMENT,
    ):
        assert re.search(rf"`(?:[\w.\[\]]*\.)?{re.escape(name)}`", page), name


def all_keys(schema: dict[str, Any]) -> set[str]:
    shapes = [schema, *schema.get("$defs", {}).values()]
    return {name for shape in shapes for name in shape.get("properties", {})}


def test_every_metric_and_option_is_described() -> None:
    from promptyard.metrics import METRICS

    summary = read(REFERENCE / "metrics.md")
    for name, factory in METRICS.items():
        found = re.search(rf"^\| \[`{name}`\]\((metrics/\w+\.md)\)", summary, re.M)
        assert found, name
        page = read(REFERENCE / found.group(1))
        assert name in page.splitlines()[2].split(), name
        for option in getattr(factory, "option_names", ()):
            assert f"`{option}`" in page, f"{name}: {option}"


def test_every_page_of_a_metric_is_of_one_that_exists() -> None:
    from promptyard.metrics import METRICS

    assert {path.stem for path in (REFERENCE / "metrics").glob("*.md")} <= set(METRICS)


def test_every_name_of_the_tables_is_described() -> None:
    from promptyard.candidates import GENERATORS
    from promptyard.candidates.validators import VALIDATORS
    from promptyard.evalset import IMPORTERS
    from promptyard.funnel import STAGES
    from promptyard.providers import PROVIDERS
    from promptyard.release import GATES
    from promptyard.search import POLICIES
    from promptyard.workflows import WORKFLOWS

    page = read(REFERENCE / "names.md")
    tables = (GENERATORS, VALIDATORS, IMPORTERS, STAGES, PROVIDERS, GATES, POLICIES, WORKFLOWS)
    for table in tables:
        for name in table:
            assert f"`{name}`" in page, name


def test_every_public_name_and_error_is_described() -> None:
    import promptyard
    from promptyard import errors, testing

    api, tree = read(REFERENCE / "python-api.md"), read(REFERENCE / "errors.md")
    for name in promptyard.__all__:
        assert f"## {name}\n" in api, name
    for name in testing.__all__:
        assert f"| `{name}` |" in api, name
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.PromptyardError):
            assert tree.count(name) >= 2, f"{name} is not in both tree and table"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    known = dict(commands())
    groups = {words.rpartition(" ")[0] for words in known} - {""}
    text = read(page)
    named = [match.group(1) for block in FENCE.findall(text) for match in COMMAND.finditer(block)]
    named += [match.group(1).removeprefix("promptyard") for match in INLINE.finditer(text)]
    for line in named:
        words = plain_words(line)
        if not words or words[0] in ("--version", "--help") or "[OPTIONS]" in words:
            continue
        name = " ".join(words[:2]) if words[0] in groups else words[0]
        if name in groups:
            continue  # the group as such
        assert name in known, f"{page.name}: promptyard{line}"
        options = {option for parameter in known[name].params for option in parameter.opts}
        for word in words:
            if word.startswith("-"):
                assert word.partition("=")[0] in options | {"--help"}, f"promptyard{line}"


def plain_words(line: str) -> list[str]:
    """Cut a command into words, without comments, redirections and what follows the command."""
    bare = re.split(r" [#|>&]| && ", f" {line} ")[0]
    return shlex.split(bare)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_internal_links_resolve(page: Path) -> None:
    text = FENCE.sub("", read(page))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """The anchors that a heading gets on the usual hosts."""
    headings = HEADING.findall(FENCE.sub("", read(page)))
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in headings}


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    pending = [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for target in LINK.findall(FENCE.sub("", read(page))):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.is_file() and ROOT in file.parents:
                pending.append(file)
    expected = {page for page in PAGES if page.parent != ROOT and page != DOCS / "README.md"}
    assert not {str(page.relative_to(ROOT)) for page in expected - reached}


def test_the_glossary_has_each_entry_once_and_in_order() -> None:
    entries = ENTRY.findall(read(DOCS / "glossary.md"))
    assert len(entries) > 60
    assert len(set(entries)) == len(entries)
    assert entries == sorted(entries, key=str.casefold)


def test_the_glossary_knows_the_words_of_the_line() -> None:
    from promptyard.funnel import STAGES
    from promptyard.records.cases import SPLITS

    entries = set(ENTRY.findall(read(DOCS / "glossary.md")))
    assert entries >= set(STAGES) | set(SPLITS) | {"case", "bucket", "verdict", "pointer", "look"}


@pytest.mark.parametrize("page", sorted((DOCS / "adr").glob("0*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_parts_fits_a_page_and_is_listed(page: Path) -> None:
    text = read(page)
    assert text.startswith(f"# {page.stem[:4]}: ")
    assert re.search(r"^Status: \w+\. Date: \d{4}-\d\d-\d\d\.", text, re.M)
    found = re.findall(r"^## (.+)$", text, re.M)
    assert tuple(found) == ADR_PARTS
    assert len(text.splitlines()) <= 60
    assert f"({page.name})" in read(DOCS / "adr" / "README.md")


def test_pages_speak_of_no_machine() -> None:
    for page in PAGES:
        text = read(page)
        assert not re.search(r"/(?:root|home|work|Users)/|/tmp/(?!promptyard-demo-\.\.\.)", text), (
            page
        )


def test_the_changelog_has_the_present_version() -> None:
    import promptyard

    text = read(ROOT / "CHANGELOG.md")
    assert "## [Unreleased]" in text
    assert f"## [{promptyard.__version__}]" in text
