"""The simulated optimizer: it goes by what requests say, and answers in the shape asked for."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import search_worlds
from search_worlds import world_of
from search_worlds.phrases import pieces, sentences
from search_worlds.service import Service
from search_worlds.world import World

# They hold the simulated optimizer, which is no part of what coverage is measured of.
pytestmark = pytest.mark.no_cover

PEERS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("peer_requests.json").read_text(encoding="utf-8")
)["requests"]
FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]")
EDITS = {
    "type": "object",
    "properties": {
        "hypothesis": {"type": "string"},
        "edits": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "op": {
                        "type": "string",
                        "enum": ["append", "insert_after", "replace", "delete"],
                    },
                    "section": {"type": "string"},
                    "old": {"type": "string"},
                    "new": {"type": "string"},
                },
            },
        },
    },
}


def bucket_request(world: World, tag: str, prompt: str = "", more: str = "") -> str:
    """A request as the line writes it: a section, and two failures of one bucket."""
    skill = next(item for item in world.plan.skills if item.tag == tag)
    cases = [case for case in world.train if skill.name in case.wrongs][:2]
    rows: list[str] = []
    for case in cases:
        assert isinstance(case.gold, dict)
        got = json.dumps({**case.gold, **case.wrongs[skill.name]})
        graded = world.score(case, got)
        finding = {"tags": graded.tags, "reason": graded.feedback}
        row = {"input": {"text": case.input}, "expected": case.gold, "got": got}
        rows.append(json.dumps({**row, "findings": [finding]}))
    return "\n".join(
        (
            "Mend the prompt.",
            f'<section-0a1b id="main">\n{prompt or world.seed_prompt}\n</section-0a1b>',
            f'<bucket-0a1b name="{tag}" section="main" n_cases="9">',
            *rows,
            "</bucket-0a1b>",
            more,
        )
    )


def ask(world: World, request: str, schema: dict[str, Any] | None = None, n: int = 1) -> list[str]:
    body: dict[str, Any] = {
        "model": "optimizer",
        "messages": [{"role": "user", "content": request}],
        "temperature": 1.0,
        "n": n,
    }
    if schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "edits", "schema": schema},
        }
    return [choice.text for choice in Service(world).answer(body).choices]


def taught(world: World, texts: list[str], kind: str = "rule") -> set[str]:
    book = world.effects.phrasebook
    return {
        phrase.key
        for text in texts
        for sentence in sentences(text)
        for phrase in book.find(sentence)
        if phrase.kind == kind
    }


def new_texts(replies: list[str]) -> list[str]:
    return [edit["new"] for reply in replies for edit in json.loads(reply)["edits"]]


def test_the_optimizer_has_no_way_to_the_world() -> None:
    """Its modules import plans, phrases and shapes; cases, effects and worlds are out of reach."""
    folder = Path(search_worlds.__file__).parent / "optimizer"
    allowed = {"grading", "luck", "optimizer", "phrases", "plan", "shapes"}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("search_worlds"):
                assert (node.module or "").split(".")[1] in allowed, (path, node.module)


def test_a_request_without_evidence_teaches_nothing() -> None:
    world = world_of("clinic-notes", 0)
    request = f"Improve it.\n<prompt>\n{world.seed_prompt}\n</prompt>"
    assert not taught(world, ask(world, request, EDITS, n=20))


def test_a_bucket_is_answered_with_edits_of_the_shown_section() -> None:
    world = world_of("clinic-notes", 0)
    replies = ask(world, bucket_request(world, "drug:trade_name"), EDITS, n=40)
    assert "drug_generic" in taught(world, new_texts(replies))
    exact = total = 0
    for reply in replies:
        document = json.loads(reply)
        assert document["hypothesis"]
        for edit in document["edits"]:
            assert edit["op"] in {"append", "insert_after", "replace", "delete"}
            assert edit["section"] == "main"
            assert bool(edit["old"]) == (edit["op"] != "append")
            assert bool(edit["new"]) == (edit["op"] != "delete")
            total += bool(edit["old"])
            exact += bool(edit["old"]) and edit["old"] in world.seed_prompt
    assert total > 10
    assert 0.85 < exact / total <= 1.0


def test_tags_alone_differences_alone_and_symptoms_alone_are_evidence() -> None:
    for options in ("", "+terse", "+notags", "+notags+terse"):
        world = world_of(f"clinic-notes{options}", 0)
        request = bucket_request(world, "drug:trade_name")
        if "notags" in options:
            request = request.replace("drug:trade_name", "drug")
        assert "drug_generic" in taught(world, new_texts(ask(world, request, EDITS, n=10)))


def test_twins_are_told_apart_by_the_inputs_that_are_shown() -> None:
    world = world_of("clinic-notes", 0)
    request = bucket_request(world, "dose_mg:wrong_amount")
    replies = ask(world, request, EDITS, n=30)
    shown = [case for case in world.train if case.input.split("\n")[0] in request]
    assert all("dose_daily" in case.wrongs for case in shown)
    counts = {
        name: sum(name in taught(world, new_texts([reply])) for reply in replies)
        for name in ("dose_daily", "dose_micro")
    }
    assert counts["dose_daily"] > 3 * max(1, counts["dose_micro"])


def test_a_sentence_that_was_tried_in_vain_is_not_offered_again_while_others_are_left() -> None:
    world = world_of("clinic-notes", 0)
    skill = world.plan.by_name["drug_generic"]
    tried = f"Tried before without effect:\n- {skill.rules[0]}\n- {skill.rules[1]}"
    fresh = new_texts(ask(world, bucket_request(world, skill.tag), EDITS, n=30))
    warned = new_texts(ask(world, bucket_request(world, skill.tag, more=tried), EDITS, n=30))
    assert skill.rules[0] in fresh
    assert skill.rules[0] not in warned
    assert skill.rules[1] not in warned
    assert skill.rules[2] in warned


def test_a_contrary_sentence_is_noticed_where_it_is_shown() -> None:
    world = world_of("clinic-notes", 0)
    skill = world.plan.by_name["drug_generic"]
    prompt = f"{world.seed_prompt}\n{skill.contrary[0]}"
    replies = ask(world, bucket_request(world, skill.tag, prompt), EDITS, n=20)
    edits = [edit for reply in replies for edit in json.loads(reply)["edits"]]
    mended = [edit for edit in edits if edit["old"] == skill.contrary[0]]
    assert {edit["op"] for edit in mended} == {"replace"}
    assert len(mended) > 5


def test_it_slips_as_models_do_and_a_weak_one_slips_more() -> None:
    shares: list[float] = []
    for name in ("clinic-notes", "clinic-notes+weak"):
        world = world_of(name, 0)
        replies = ask(world, bucket_request(world, "dose_mg:wrong_amount"), EDITS, n=200)
        texts = new_texts(replies)
        for kind in ("vague", "idle", "trap", "contrary"):
            assert taught(world, texts, kind) or kind in {"idle"}, kind
        assert any(re.search(r"VN-\d{5}", text) for text in texts)
        slips = sum(1 for text in texts if not taught(world, [text]))
        shares.append(slips / len(texts))
    assert shares[0] < shares[1]


@pytest.mark.parametrize("name", ["clinic-notes+null", "crew-handbook+null"])
def test_a_null_optimizer_changes_nothing(name: str) -> None:
    world = world_of(name, 0)
    score = world.expected_score(world.seed_prompt)
    request = bucket_request(world, world.plan.skills[0].tag)
    for text in new_texts(ask(world, request, EDITS, n=20)):
        assert world.expected_score(f"{world.seed_prompt}\n{text}") == pytest.approx(score)
    for prompt in ask(world, f"{request}\nWrite the new prompt within <prompt>.", n=3):
        assert world.expected_score(prompt) == pytest.approx(score)


@pytest.mark.parametrize("name", ["clinic-notes+harmful", "crew-handbook+harmful"])
def test_a_harmful_optimizer_only_damages(name: str) -> None:
    world = world_of(name, 0)
    best = world.expected_score(world.oracle_prompt)
    texts = new_texts(ask(world, bucket_request(world, world.plan.skills[0].tag), EDITS, n=20))
    assert texts
    for text in texts:
        assert world.expected_score(f"{world.oracle_prompt}\n{text}") < best


def test_writing_a_long_prompt_anew_loses_rules_where_local_edits_repair_it() -> None:
    world = world_of("crew-handbook", 0)
    skill = next(item for item in world.plan.skills if item.contrary[0] in world.seed_prompt)
    rows: list[str] = []
    for case in [case for case in world.train if skill.name in case.wrongs][:2]:
        assert isinstance(case.gold, dict)
        got = json.dumps({**case.gold, **case.wrongs[skill.name]})
        rows.append(f"{case.input}\n{world.score(case, got).feedback}")
    request = "\n".join(
        (f'<section-1 id="all">\n{world.seed_prompt}\n</section-1>', *rows, "<bucket>")
    )
    local: list[float] = []
    for reply in ask(world, request, EDITS, n=10):
        prompt = world.seed_prompt
        for edit in json.loads(reply)["edits"]:
            if edit["op"] == "replace":
                prompt = prompt.replace(edit["old"], edit["new"])
        local.append(world.expected_score(prompt))
    whole = [
        world.expected_score(text)
        for text in ask(world, f"{request}\nGive the improved prompt within <prompt>.", n=10)
    ]
    before = world.expected_score(world.seed_prompt)
    assert sum(score > before + 0.05 for score in local) >= 5
    assert max(whole) < max(local) - 0.02
    assert sum(whole) / len(whole) < before


def test_a_schema_with_other_names_is_filled_by_what_they_mean() -> None:
    world = world_of("clinic-notes", 0)
    text = {"type": "string"}
    change = {"type": "object", "properties": {"anchor": text, "replacement": text, "why": text}}
    schema = {
        "type": "object",
        "properties": {
            "diagnosis": text,
            "improved_prompt": text,
            "patches": {"type": "array", "items": {"$ref": "#/$defs/Change"}},
            "candidate_prompts": {"type": "array", "items": text},
            "sure": {"type": "boolean"},
        },
        "$defs": {"Change": change},
    }
    request = f"{bucket_request(world, 'species:everyday_word')}\nGive 2 candidate prompts."
    documents = [json.loads(reply) for reply in ask(world, request, schema, n=5)]
    document = documents[0]
    assert set(document) == set(schema["properties"])
    assert world.plan.fields[0] in document["improved_prompt"]
    assert len(document["candidate_prompts"]) == 2
    assert all(set(item) == {"anchor", "replacement", "why"} for item in document["patches"])
    assert "species_term" in taught(world, [item["improved_prompt"] for item in documents])


def test_spans_are_marked_and_then_replaced() -> None:
    world = world_of("clinic-notes", 0)
    wrong = "Keep the trade name of the medicine as the vet wrote it."
    prompt = f"{world.seed_prompt}\n{wrong}"
    rows = bucket_request(world, "drug:trade_name").split("</section-0a1b>")[1]
    mark = (
        f"<current_prompt>\n{prompt}\n</current_prompt>\n{rows}\n"
        "Repeat the prompt with <edit> and </edit> around what is to blame."
    )
    marked = [text for text in ask(world, mark, n=10) if f"<edit>{wrong}</edit>" in text]
    assert marked
    assert re.sub(r"</?edit>", "", marked[0]) == prompt
    replace = f"<current_prompt>\n{marked[0]}\n</current_prompt>\n{rows}\nNew texts in <edit> tags."
    replies = ask(world, replace, n=10)
    assert all(reply.count("<edit>") == marked[0].count("<edit>") for reply in replies)
    assert "drug_generic" in taught(world, [re.sub(r"</?edit>", "\n", text) for text in replies])


def test_plain_requests_are_answered_in_tags_fences_or_as_a_critique() -> None:
    world = world_of("clinic-notes", 0)
    rows = bucket_request(world, "drug:trade_name").split("</section-0a1b>")[1]
    base = f"My prompt:\n\n```\n{world.seed_prompt}\n```\n\n{rows}\n\n"
    (tagged,) = ask(world, f"{base}Put the new instruction within <INS> and </INS>.")
    assert re.fullmatch(r"<INS>.*</INS>", tagged, re.DOTALL)
    (fenced,) = ask(world, f"{base}Give the new instruction within ``` blocks.")
    assert "Return a JSON object" in fenced.split("```")[1]
    critiques = ask(world, f"{base}Explain why the answers were not right.", n=10)
    assert not any("Return a JSON object" in text for text in critiques)
    assert "drug_generic" in taught(world, critiques)


def test_a_critique_carries_over_into_the_edit_that_is_asked_for_next() -> None:
    world = world_of("clinic-notes", 0)
    rule = world.plan.by_name["revisit_count"].rules[0]
    request = (
        f"My prompt:\n\n```\n{world.seed_prompt}\n```\n\nA critique of it: {rule}\n\n"
        "Write a different prompt between <START> and <END>."
    )
    replies = ask(world, request, n=10)
    assert all(text.startswith("<START>") and text.endswith("<END>") for text in replies)
    assert "revisit_count" in taught(world, replies)


def test_the_best_of_a_score_trajectory_is_taken_further() -> None:
    world = world_of("lease-clauses", 0)
    better = f"{world.seed_prompt}\n{world.effects.best_wording(world.plan.skills[3])}"
    request = (
        f"<INS>\n{world.seed_prompt}\n</INS>\nscore:\n31\n\n<INS>\n{better}\n</INS>\nscore:\n40\n\n"
        "Write a new instruction within <INS> and </INS>."
    )
    (reply,) = ask(world, request)
    assert "entry_for_repairs" in taught(world, [reply.replace("<INS>", "").replace("</INS>", "")])


@pytest.mark.parametrize("name", [name for name in PEERS if "task" not in name])
def test_recorded_requests_of_the_peers_are_answered_in_their_shape(name: str) -> None:
    world = world_of("freight-bills", 7)
    reply = Service(world).answer(PEERS[name]).choices[0].text
    tail = PEERS[name]["messages"][-1]["content"][-400:]
    if name == "gepa reflection":
        prompt = reply.split("```")[1]
        assert "fill in carrier" in prompt
        assert taught(world, [prompt])
    elif "Respond with a JSON object" in tail:
        assert list(json.loads(reply)) == ["new_instruction"]
        assert taught(world, [json.loads(reply)["new_instruction"]])
    else:
        assert FIELD.findall(reply) == FIELD.findall(tail.rpartition("Respond with")[2])
    if name == "MIPROv2 instruction":
        assert "fill in carrier" in reply
        assert taught(world, [reply])  # it takes up what the summary of the data says


@pytest.mark.parametrize("name", [name for name in PEERS if "task" in name])
def test_recorded_task_calls_of_the_peers_are_understood(name: str) -> None:
    world = world_of("freight-bills", 7)
    service = Service(world)
    reply = service.answer(PEERS[name]).choices[0].text
    assert service.counts.splits["none"] == 0
    assert ("[[ ## output ## ]]" in reply) == name.startswith("dspy")
    assert '"carrier"' in reply


def test_pieces_join_to_the_text_again() -> None:
    for name in ("clinic-notes", "crew-handbook"):
        text = world_of(name).seed_prompt
        assert "".join(pieces(text)) == text
