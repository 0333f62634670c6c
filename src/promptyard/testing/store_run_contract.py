"""What a store does with runs, versions and pointers: a part of the store contract."""

from __future__ import annotations

import asyncio

from promptyard.errors import Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.runs import RunStatus
from promptyard.testing.store_suite import (
    N_CONCURRENT,
    UNUSUAL_TEXTS,
    StoreSuite,
    raises,
    sample_header,
    sample_move,
    sample_origin,
    sample_run,
    sample_version,
)


class RunContract(StoreSuite):
    """Runs, their journal and looks; see `promptyard.testing.StoreContract`."""

    def test_a_run_is_recorded_once(self) -> None:
        """A header comes back equal; the same id again is a Conflict; others are NotFound."""

        async def body(store: Store) -> None:
            header = sample_header("run-1", settings={"texts": list(UNUSUAL_TEXTS), "limit": 1.5})
            await store.start_run(header)
            with raises(Conflict):
                await store.start_run(sample_header("run-1"))
            assert await store.run_header("run-1") == header
            assert await store.run_result("run-1") is None
            for call in (store.run_header, store.run_result):
                with raises(NotFound):
                    await call("run-2")
            with raises(NotFound):
                await store.set_run_status("run-2", "failed")

        self.with_store(body)

    def test_a_run_can_be_interrupted_and_resumed(self) -> None:
        """What is finished does not fail afterwards, but may be taken up; its result stays."""

        async def body(store: Store) -> None:
            header = sample_header("run-1")
            await store.start_run(header)
            statuses: tuple[RunStatus, ...] = ("interrupted", "running", "failed", "running")
            for status in statuses:
                await store.set_run_status("run-1", status)
                assert [row["status"] for row in await store.runs()] == [status]
            result = sample_run(header)
            await store.set_run_status("run-1", "finished", result)
            await store.set_run_status("run-1", "finished")
            late: tuple[RunStatus, ...] = ("interrupted", "failed")
            for status in late:
                with raises(Conflict):
                    await store.set_run_status("run-1", status)
            (row,) = await store.runs()
            assert (row["status"], row["sentence"]) == ("finished", result.verdict.sentence)
            await store.set_run_status("run-1", "running")
            assert await store.run_result("run-1") == result
            better = result.model_copy(update={"n_candidates": 9})
            await store.set_run_status("run-1", "finished", better)
            assert await store.run_result("run-1") == better

        self.with_store(body)

    def test_runs_are_listed_newest_first(self) -> None:
        """The list can be narrowed to a task and cut."""

        async def body(store: Store) -> None:
            for number in range(5):
                await store.start_run(sample_header(f"run-{number}", task=f"task-{number % 2}"))
            rows = await store.runs()
            assert [row["id"] for row in rows] == [f"run-{number}" for number in (4, 3, 2, 1, 0)]
            assert rows[0]["task"] == "task-0"
            assert rows[0]["started_at"] == sample_header("run-4").started_at
            assert rows[0]["sentence"] == ""
            await store.set_run_status("run-4", "finished", sentence="no result, a verdict")
            assert (await store.runs(limit=1))[0]["sentence"] == "no result, a verdict"
            assert await store.run_result("run-4") is None
            assert [row["id"] for row in await store.runs(limit=2)] == ["run-4", "run-3"]
            assert [row["id"] for row in await store.runs(task="task-1")] == ["run-3", "run-1"]
            assert await store.runs(task="task-2") == []
            assert [row["id"] for row in await store.runs(limit=2, before="run-3")] == [
                "run-2",
                "run-1",
            ]
            assert [row["id"] for row in await store.runs(only="run-3")] == ["run-3"]
            assert await store.runs(only="run-9") == []
            with raises(NotFound):
                await store.runs(before="run-9")

        self.with_store(body)

    def test_a_journal_keeps_its_order(self) -> None:
        """Entries count up without gaps, per run, also when they are appended at once."""

        async def body(store: Store) -> None:
            await store.append_journal("run-1", "start", {"texts": list(UNUSUAL_TEXTS)})
            await asyncio.gather(
                *(
                    store.append_journal(f"run-{number % 2}", "step", {"number": number})
                    for number in range(N_CONCURRENT)
                )
            )
            entries = await store.journal("run-1")
            assert [entry["seq"] for entry in entries] == list(range(1, N_CONCURRENT // 2 + 2))
            assert entries[0]["kind"] == "start"
            assert entries[0]["payload"] == {"texts": list(UNUSUAL_TEXTS)}
            numbers = {entry["payload"]["number"] for entry in entries[1:]}
            assert numbers == set(range(1, N_CONCURRENT, 2))
            assert all(entry["at"] for entry in entries)
            assert await store.journal("run-9") == []

        self.with_store(body)

    def test_the_same_pair_is_no_new_look(self) -> None:
        """Looks count per set of holdout cases: distinct pairs only, also those made at once."""

        async def body(store: Store) -> None:
            assert await store.count_look("holdout-1", "pair-1") == 1
            assert await store.count_look("holdout-1", "pair-2") == 2
            assert await store.count_look("holdout-1", "pair-1") == 2
            assert await store.count_look("holdout-2", "pair-1") == 1
            assert sorted(await store.looks("holdout-1")) == ["pair-1", "pair-2"]
            assert list(await store.looks("holdout-9")) == []
            pairs = [f"pair-{number // 2}" for number in range(8)]
            counts = await asyncio.gather(*(store.count_look("holdout-3", p) for p in pairs))
            assert sorted(set(counts)) == [1, 2, 3, 4]

        self.with_store(body)


class RegistryContract(StoreSuite):
    """Versions, pointers and moves; see `promptyard.testing.StoreContract`."""

    def test_versions_are_numbered_per_prompt(self) -> None:
        """Numbers count from 1; time and number are the store's, everything else stays."""

        async def body(store: Store) -> None:
            asked = sample_version(
                "one",
                number=99,
                hypothesis=UNUSUAL_TEXTS[3],
                scores={"dev": 0.5},
                origins=[sample_origin(text) for text in UNUSUAL_TEXTS],
            )
            first = await store.add_version(asked)
            second = await store.add_version(
                sample_version("two", created_at="2026-01-01T00:00:00Z")
            )
            other = await store.add_version(sample_version("one", name="other"))
            assert (first.number, second.number, other.number) == (1, 2, 1)
            assert first == asked.model_copy(
                update={"number": 1, "created_at": first.created_at}
            ), "only number and time are assigned"
            assert first.created_at
            assert second.created_at == "2026-01-01T00:00:00Z"
            assert await store.versions("support") == [first, second]
            assert await store.version("support", 2) == second
            assert await store.prompt_names() == ["other", "support"]
            assert await store.versions("unknown") == []

        self.with_store(body)

    def test_the_same_program_is_registered_once(self) -> None:
        """A digest that is known returns the version that has it, as it was registered."""

        async def body(store: Store) -> None:
            first = await store.add_version(sample_version("one", author="ann"))
            again = await store.add_version(
                sample_version("one", author="bob", hypothesis="better")
            )
            assert again == first
            assert await store.versions("support") == [first]

        self.with_store(body)

    def test_an_unknown_version_names_the_known_ones(self) -> None:
        """The message helps: it says which numbers exist, or that the prompt does not."""

        async def body(store: Store) -> None:
            for text in ("one", "two", "three"):
                await store.add_version(sample_version(text))
            with raises(NotFound, r"'support'.*\b9\b.*\b1\b.*\b3\b"):
                await store.version("support", 9)
            with raises(NotFound, "unknown"):
                await store.version("unknown", 1)

        self.with_store(body)

    def test_concurrent_registrations_get_dense_numbers(self) -> None:
        """No number is given twice or left out."""

        async def body(store: Store) -> None:
            texts = [f"text {number % 32}" for number in range(N_CONCURRENT)]
            added = await asyncio.gather(
                *(store.add_version(sample_version(text)) for text in texts)
            )
            assert {version.number for version in added} == set(range(1, 33))
            assert [v.number for v in await store.versions("support")] == list(range(1, 33))

        self.with_store(body)

    def test_a_pointer_moves_only_from_where_it_is(self) -> None:
        """Compare-and-set: who looked at an old state gets a Conflict that says the new one."""

        async def body(store: Store) -> None:
            for text in ("one", "two", "three"):
                await store.add_version(sample_version(text))
            with raises(Conflict, "not set"):
                await store.move_pointer(sample_move(1, 2))
            created = await store.move_pointer(sample_move(None, 1, reason=UNUSUAL_TEXTS[3]))
            assert created.moved_at
            await store.move_pointer(sample_move(1, 3))
            with raises(Conflict, "at version 3"):
                await store.move_pointer(sample_move(1, 2))
            with raises(Conflict, "at version 3"):
                await store.move_pointer(sample_move(None, 2))
            with raises(NotFound, r"\b9\b"):
                await store.move_pointer(sample_move(3, 9))
            (pointer,) = await store.pointers("support")
            assert (pointer.prompt, pointer.pointer, pointer.number) == ("support", "production", 3)
            log = await store.moves("support")
            assert log[0] == created
            assert [(move.from_number, move.to_number) for move in log] == [(None, 1), (1, 3)]
            assert pointer.moved_at == log[-1].moved_at

        self.with_store(body)

    def test_pointers_are_independent(self) -> None:
        """Each pointer of each prompt has its own place and its own part of the log."""

        async def body(store: Store) -> None:
            for name in ("support", "other"):
                await store.add_version(sample_version("one", name=name))
            for prompt, pointer in (
                ("support", "production"),
                ("support", "canary"),
                ("other", "canary"),
            ):
                await store.move_pointer(sample_move(None, 1, prompt=prompt, pointer=pointer))
            names = [pointer.pointer for pointer in await store.pointers("support")]
            assert names == ["canary", "production"]
            assert [m.pointer for m in await store.moves("support")] == ["production", "canary"]
            assert [m.prompt for m in await store.moves("support", "canary")] == ["support"]
            assert await store.moves("unknown") == []

        self.with_store(body)
