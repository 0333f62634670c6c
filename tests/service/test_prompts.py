"""Prompts and versions over HTTP: what is read, what is registered, what caches may keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from promptyard.protocols import Store
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import PromptVersion
from support.registered import version_of
from support.served_prompts import pages, served_prompts

API = "/api/v1"
PROMPT = f"{API}/prompts/p"


def test_prompts_are_listed_by_name_and_one_shows_what_points_where(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:

        async def more(store: Store) -> None:
            for name in ("b", "team/support", "a"):
                await store.add_version(version_of("user:\nA {{x}}\n", name))

        service.in_store(more)
        found = pages(service, f"{API}/prompts", 3)
        assert [item["name"] for item in found] == ["a", "b", "p", "team/support"]
        shown = service.get(PROMPT).json
        assert (shown["name"], shown["n_versions"], shown["newest"]["number"]) == ("p", 3, 3)
        assert [(item["pointer"], item["number"]) for item in shown["pointers"]] == [
            ("production", 1)
        ]
        assert shown["last_move"]["actor"] == "ann"
        missing = service.get(f"{API}/prompts/q")
        assert (missing.status, missing.json["type"]) == (404, "urn:promptyard:problem:not-found")
        slashed = service.get(f"{API}/prompts/team%2Fsupport")
        assert (slashed.status, slashed.json["name"]) == (200, "team/support")
        assert service.get(f"{API}/prompts/team/support").status == 404


def test_a_name_with_a_percent_sign_is_not_decoded_twice(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        body = {"text": "user:\nA {{x}}\n"}
        for written, name in (("100%25", "100%"), ("a%252Fb", "a%2Fb"), ("a%2fb", "a/b")):
            made = service.post(f"{API}/prompts/{written}/versions", body)
            assert (made.status, made.json["name"]) == (201, name)
            again = service.get(made.headers["location"])
            assert again.json["name"] == name


def test_versions_come_newest_first_and_by_any_reference(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        found = pages(service, f"{PROMPT}/versions", 2)
        assert [item["number"] for item in found] == [3, 2, 1]
        assert "program" not in found[0]
        for reference, number in (("2", 2), ("v2", 2), ("production", 1), ("latest", 3)):
            assert service.get(f"{PROMPT}/versions/{reference}").json["number"] == number
        for reference in ("4", "staging"):
            assert service.get(f"{PROMPT}/versions/{reference}").status == 404
        assert service.get(f"{PROMPT}/versions/a%20b").status == 422
        line = pages(service, f"{PROMPT}/versions/latest/lineage", 2)
        assert [item["number"] for item in line] == [3, 2, 1]
        blame = service.get(f"{PROMPT}/versions/latest/blame").json
        assert [entry["version"] for line in blame["lines"] for entry in line["entries"]] == [1, 3]


def test_a_version_by_its_number_may_be_kept_and_by_a_pointer_is_asked_for(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        by_number = service.get(f"{PROMPT}/versions/1")
        by_pointer = service.get(f"{PROMPT}/versions/production")
        assert "immutable" in by_number.headers["cache-control"]
        assert by_pointer.headers["cache-control"] == "private, no-cache"
        tag = by_number.headers["etag"]
        assert by_pointer.headers["etag"] == tag
        for given in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            known = service.get(f"{PROMPT}/versions/1", headers={"If-None-Match": given})
            assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag)
        same = {"If-Match": tag}
        assert service.get(f"{PROMPT}/versions/production", headers=same).status == 200
        move = {"version": "2"}
        assert service.post(f"{PROMPT}/pointers/production/promote", move).status == 200
        moved = service.get(f"{PROMPT}/versions/production", headers=same)
        assert (moved.status, moved.json["type"][-7:]) == (412, "changed")


def test_a_prompt_is_registered_once_and_says_where_it_is(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        path = f"{PROMPT}/versions"
        made = service.post(path, {"text": "user:\nD {{x}}\n", "message": "shorter"})
        assert (made.status, made.json["number"], made.json["parent"]) == (201, 4, 3)
        assert made.json["author"] == "local"
        assert made.headers["location"] == f"{PROMPT}/versions/4"
        again = service.post(path, {"text": "user:\nD {{x}}\n"})
        assert (again.status, again.json["number"]) == (200, 4)
        other = service.post(path, {"program": made.json["program"], "parent": "1"})
        assert (other.status, other.json["digest"]) == (200, made.json["digest"])
        program = Program.model_validate(made.json["program"])
        assert program.id == made.json["digest"]


def test_what_cannot_be_registered_is_refused_with_the_reason(tmp_path: Path) -> None:
    refused: tuple[tuple[Any, int, str], ...] = (
        ({}, 422, "either `text` or `program`"),
        (
            {"text": "user:\nA\n", "program": {"steps": []}},
            422,
            "/program/steps: must not be empty",
        ),
        ({"text": "---\nnmae: x\n---\nuser:\nA\n"}, 422, "unknown key 'nmae'"),
        ({"text": "user:\nA\n", "step": "s"}, 422, "no step 's'"),
        ({"text": "user:\nA\n", "parent": "9"}, 404, "versions 1 to 3"),
        ({"text": "user:\nA\n", "more": 1}, 422, "/more: unknown key"),
        ({"text": "x" * 1_000_001}, 422, "/text: must have at most 1,000,000"),
    )
    with served_prompts(tmp_path) as service:
        for body, status, said in refused:
            answer = service.post(f"{PROMPT}/versions", body)
            assert (answer.status, said in answer.json["detail"]) == (status, True), answer.body
        endless = b'{"text": "user:\\nA\\n", "files": {"s": 1e999}}'
        as_json = {"Content-Type": "application/json"}
        answer = service.post(f"{PROMPT}/versions", body=endless, headers=as_json)
        assert answer.status == 400
        for name in ("%20", "a%0Ab", "%C2%A0x"):
            answer = service.post(f"{API}/prompts/{name}/versions", {"text": "user:\nA\n"})
            assert answer.status == 422
        assert len(pages(service, f"{PROMPT}/versions", 9)) == 3


def test_two_versions_are_compared_in_text_and_settings(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        text = "---\nparams: {temperature: 0}\n---\nuser:\nC {{x}}\n"
        service.post(f"{PROMPT}/versions", {"text": text})
        found = service.get(f"{PROMPT}/diff?old=production").json
        assert (found["old"], found["new"]) == (1, 4)
        assert "+C {{x}}" in found["diff"]
        (change,) = found["changes"]
        assert change["sentence"] == "parameter temperature: – → 0"
        assert service.get(f"{PROMPT}/diff?old=1&new=nothing").status == 404
        assert service.get(f"{PROMPT}/diff").status == 422


def test_texts_that_utf8_cannot_say_are_answered_escaped(tmp_path: Path) -> None:
    """A lone surrogate comes into a store by JSON of others; its version has to keep its digest."""
    with served_prompts(tmp_path) as service:

        async def add(store: Store) -> PromptVersion:
            program = Program.single(Prompt.from_text("user:\nA \ud800 {{x}}\n"))
            version = version_of("user:\nA {{x}}\n", "odd")
            changes = {"program": program, "digest": program.id, "hypothesis": "\udfff"}
            return await store.add_version(version.model_copy(update=changes))

        version = service.in_store(add)
        shown = service.get(f"{API}/prompts/odd/versions/1")
        assert shown.status == 200
        read = Program.model_validate(json.loads(shown.body)["program"])
        assert read.id == version.digest
        listed = service.get(f"{API}/prompts/odd/versions")
        assert listed.json["items"][0]["hypothesis"] == "\udfff"
        assert service.get(f"{API}/prompts/odd/versions/1/blame").status == 200


def test_cursors_of_others_are_refused(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        name = service.get(f"{API}/prompts?limit=1").json["next"] or "InAi"
        for path, cursor in (
            (f"{PROMPT}/versions", name),
            (f"{PROMPT}/versions", "LTE"),  # -1
            (f"{PROMPT}/versions", "MWU5OTk"),  # 1e999
            (f"{PROMPT}/versions", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),
            (f"{PROMPT}/moves", "bnVsbA"),
            (f"{API}/prompts", "MQ"),
        ):
            answer = service.get(f"{path}?cursor={cursor}")
            assert (answer.status, answer.json["title"]) == (400, "Bad Request"), path


def test_scores_and_verdicts_of_versions_are_shown(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        verdict: dict[str, Any] = {"status": "pass", "sentence": "It is better.", "comparisons": []}

        async def add(store: Store) -> None:
            judged = version_of("user:\nJ {{x}}\n").model_copy(
                update={"verdict": verdict, "status": "passed", "run_id": "run-1"}
            )
            await store.add_version(judged)

        service.in_store(add)
        shown = service.get(f"{PROMPT}/versions/4/verdict").json
        assert (shown["sentence"], shown["status"], shown["run_id"]) == (
            "It is better.",
            "passed",
            "run-1",
        )
        assert shown["verdict"] == verdict
        assert service.get(f"{PROMPT}/versions/1/verdict").status == 404
        assert service.get(f"{PROMPT}/scores").json == {"items": [], "next": None}
        gates = [gate["name"] for gate in pages(service, f"{API}/gates", 1)]
        assert gates[:2] == ["holdout", "targets"]


def test_what_would_take_minutes_is_refused_at_once(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        path = f"{API}/prompts/long"
        made = service.post(
            f"{path}/versions", {"text": "user:\n" + "a b c d e f g h i j\n" * 25_000}
        )
        assert made.status == 201
        for refused in ("diff?old=1", "versions/1/blame"):
            answer = service.get(f"{path}/{refused}")
            assert (answer.status, "25,001 lines" in answer.json["detail"]) == (422, True)
        headings = service.post(f"{path}/versions", {"text": "user:\n" + "# a\n" * 20_000})
        assert (headings.status, "headings" in headings.json["detail"]) == (422, True)
