"""Traces and spans over HTTP, as applications have sent them."""

from __future__ import annotations

from pathlib import Path

from promptyard.protocols import Store
from promptyard.testing.store_service_contract import sample_span
from support.served import served


async def store_traces(store: Store) -> None:
    """Store seven traces of three spans, the roots last; those of 2 and 5 have an error."""
    for number in range(7):
        trace_id = f"{number + 1:032x}"
        root = f"{number * 10 + 9:016x}"
        spans = [
            sample_span(
                trace_id=trace_id,
                span_id=f"{number * 10 + place + 1:016x}",
                parent_span_id=root,
                start_ns=number * 1_000 + place,
                end_ns=number * 1_000 + 500,
                status="error" if number in (2, 5) and place else "ok",
                prompt="support",
                version=1 + number % 2,
            )
            for place in range(2)
        ]
        await store.add_spans(spans, [])
    for number in range(7):
        root_span = sample_span(
            trace_id=f"{number + 1:032x}",
            span_id=f"{number * 10 + 9:016x}",
            name="answer",
            start_ns=number * 1_000,
            end_ns=number * 1_000 + 900,
            service="shop",
        )
        await store.add_spans([root_span], [])


def test_traces_are_listed_once_each_newest_first(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        assert service.get("/api/v1/traces").json == {"items": [], "next": None}
        service.in_store(store_traces)
        found: list[int] = []
        cursor = ""
        while cursor is not None:
            page = service.get(f"/api/v1/traces?limit=3{cursor}").json
            found += [int(item["trace_id"], 16) for item in page["items"]]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert found == [7, 6, 5, 4, 3, 2, 1]
        first = service.get("/api/v1/traces?limit=1").json["items"][0]
        assert (first["name"], first["service"], first["n_spans"]) == ("answer", "shop", 3)
        assert (first["duration_s"], first["versions"]) == (9e-7, ["support@1"])
        failed = service.get("/api/v1/traces?errors=true&prompt=support").json["items"]
        assert [int(item["trace_id"], 16) for item in failed] == [6, 3]
        assert [item["n_errors"] for item in failed] == [1, 1]
        second = service.get("/api/v1/traces?prompt=support&version=2").json["items"]
        assert [int(item["trace_id"], 16) for item in second] == [6, 4, 2]


def test_a_trace_is_its_spans_by_their_start(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.in_store(store_traces)
        shown = service.get(f"/api/v1/traces/{3:032x}")
        starts = [item["span"]["start_ns"] for item in shown.json["spans"]]
        assert starts == [2_000, 2_000, 2_001]
        tag = {"If-None-Match": shown.headers["etag"]}
        assert service.get(f"/api/v1/traces/{3:032x}", headers=tag).status == 304
        assert service.get(f"/api/v1/traces/{99:032x}").status == 404
        assert service.get("/api/v1/traces/none").status == 422
        spans = service.get("/api/v1/spans?limit=8").json
        assert len(spans["items"]) == 8
        rest = service.get(f"/api/v1/spans?cursor={spans['next']}").json
        seqs = [item["seq"] for item in (*spans["items"], *rest["items"])]
        assert seqs == sorted(set(seqs), reverse=True)
        assert len(seqs) == 21
        failed = service.get("/api/v1/spans?errors=true&version=1&prompt=support").json["items"]
        assert [int(item["span"]["trace_id"], 16) for item in failed] == [3]
