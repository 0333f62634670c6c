"""What a store does with reports, measurements, certificates and eval sets."""

from __future__ import annotations

import asyncio

from promptyard.errors import NotFound
from promptyard.protocols import Store
from promptyard.records.messages import Completion
from promptyard.records.scores import Score, StepVisit
from promptyard.testing.store_suite import (
    N_CONCURRENT,
    UNUSUAL_TEXTS,
    StoreSuite,
    raises,
    sample_certificate,
    sample_eval_set,
    sample_header,
    sample_measurement,
    sample_report,
    sample_trial,
)

_VERSIONS = ("aaaa1111", "aaaa2222", "b%_b3333", "v1")


class MeasureContract(StoreSuite):
    """Reports, measurements, certificates; see `promptyard.testing.StoreContract`."""

    def test_reports_come_back_in_the_order_of_saving(self) -> None:
        """All of a run or those of one purpose; a run without any has none, no run is NotFound."""

        async def body(store: Store) -> None:
            await store.start_run(sample_header("run-0"))
            saved = [
                ("screen", sample_report(program_id="p2")),
                ("screen", sample_report(program_id="p1")),
                ("decide", sample_report(program_id="p1", split="holdout")),
            ]
            for purpose, report in saved:
                await store.save_report("run-1", purpose, report)
            assert await store.reports("run-1") == [report for _, report in saved]
            assert await store.reports("run-1", "decide") == [saved[2][1]]
            assert await store.reports("run-0") == []
            with raises(NotFound, "run-9"):
                await store.reports("run-9")

        self.with_store(body)

    def test_a_report_replaces_the_one_before(self) -> None:
        """A resumed run saves again; of a longer report nothing is left over."""

        async def body(store: Store) -> None:
            for n_trials in (1203, 1203, 2, 0):
                report = sample_report(n_trials)
                await store.save_report("run-1", "eval", report)
                assert await store.reports("run-1") == [report]

        self.with_store(body)

    def test_trials_come_back_as_they_were(self) -> None:
        """Whatever a model wrote, and also the largest numbers."""

        async def body(store: Store) -> None:
            slow = Completion(text="\ud800", latency_s=1e300, cost_usd=1e300)
            heavy = Score(metric="length", value=1.0, weight=1e300)
            odd = (
                sample_trial(0, visits=(StepVisit(step="main", completion=slow),)),
                sample_trial(1, scores=(heavy,)),
                sample_trial(2, output="\udfff\ud800 \x00"),
            )
            report = sample_report(len(UNUSUAL_TEXTS))
            for trials in (report.trials, odd[:1], odd[1:2], odd[2:], report.trials + odd):
                saved = report.model_copy(update={"trials": trials})
                await store.save_report("run-1", "eval", saved)
                assert await store.reports("run-1") == [saved]

        self.with_store(body)

    def test_reports_saved_at_once_are_all_kept(self) -> None:
        """No report takes the place of another one."""

        async def body(store: Store) -> None:
            names = [f"p{number}" for number in range(N_CONCURRENT)]
            await asyncio.gather(
                *(store.save_report("run-1", "screen", sample_report(program_id=n)) for n in names)
            )
            found = [report.program_id for report in await store.reports("run-1")]
            assert sorted(found) == sorted(names)

        self.with_store(body)

    def test_measurements_are_listed_oldest_first(self) -> None:
        """Of a task; of one program or one version of the eval set where that is named."""

        async def body(store: Store) -> None:
            rows = [
                sample_measurement(run_id="r1", dimensions={"accuracy": 0.25}, score=None),
                sample_measurement(run_id="r2", program_id="p2", version=3),
                sample_measurement(run_id="r3", eval_set_version="v2"),
                sample_measurement(run_id="r4", program_id="p2", eval_set_version="v2"),
                sample_measurement(run_id="r5", task="other"),
            ]
            for row in rows:
                await store.save_measurement(row)

            async def runs(**filters: str) -> list[str]:
                return [m.run_id for m in await store.measurements("support", **filters)]

            assert await runs() == ["r1", "r2", "r3", "r4"]
            assert await runs(program_id="p2") == ["r2", "r4"]
            assert await runs(eval_set_version="v2") == ["r3", "r4"]
            assert await runs(program_id="p2", eval_set_version="v1") == ["r2"]
            assert await store.measurements("unknown") == []
            first = (await store.measurements("support"))[0]
            assert first.measured_at
            assert first == rows[0].model_copy(update={"measured_at": first.measured_at})

        self.with_store(body)

    def test_a_report_is_measured_once(self) -> None:
        """A resumed run measures again; its row stays where it was. A time that is given stays."""

        async def body(store: Store) -> None:
            dated = sample_measurement(measured_at="2026-01-01T00:00:00Z")
            await store.save_measurement(dated)
            await store.save_measurement(sample_measurement(run_id="run-2"))
            again = dated.model_copy(update={"score": 0.75, "version": 2})
            await store.save_measurement(again)
            await store.save_measurement(sample_measurement(purpose="decide", split="holdout"))
            found = await store.measurements("support")
            assert found[0] == again
            assert [(m.run_id, m.purpose) for m in found] == [
                ("run-1", "eval"),
                ("run-2", "eval"),
                ("run-1", "decide"),
            ]

        self.with_store(body)

    def test_certificates_are_written_once(self) -> None:
        """Those of one judge or of all, oldest first; the same id again changes nothing."""

        async def body(store: Store) -> None:
            assert await store.certificates() == []
            first = sample_certificate(created_at="2026-01-01T00:00:00Z")
            await store.save_certificate(first)
            await store.save_certificate(sample_certificate(model="other", prompt_hash="h2"))
            assert await store.certificates() == [first]
            await store.save_certificate(sample_certificate(id="certificate-2", prompt_hash="h2"))
            await store.save_certificate(sample_certificate(id="certificate-0"))
            ids = [certificate.id for certificate in await store.certificates()]
            assert ids == ["certificate-1", "certificate-2", "certificate-0"]
            assert [c.id for c in await store.certificates("h1")] == [ids[0], ids[2]]
            assert all(c.created_at for c in await store.certificates())
            assert await store.certificates("h9") == []

        self.with_store(body)


class EvalSetContract(StoreSuite):
    """Versions of eval sets; see `promptyard.testing.StoreContract`."""

    def test_a_version_comes_back_with_its_cases(self) -> None:
        """By its whole name or by a beginning that no other version has."""

        async def body(store: Store) -> None:
            for n_cases, version in enumerate(_VERSIONS):
                await store.save_eval_set(sample_eval_set(version, n_cases))
            for n_cases, version in enumerate(_VERSIONS):
                assert await store.eval_set(version) == sample_eval_set(version, n_cases)
            assert await store.eval_set("aaaa2") == sample_eval_set("aaaa2222", 1)
            assert await store.eval_set("b%_b") == sample_eval_set("b%_b3333", 2)

        self.with_store(body)

    def test_what_names_no_version_is_not_found(self) -> None:
        """Unknown, ambiguous and too short beginnings say what would be one."""

        async def body(store: Store) -> None:
            for version in _VERSIONS:
                await store.save_eval_set(sample_eval_set(version))
            with raises(NotFound, "2 .*aaaa1111, aaaa2222"):
                await store.eval_set("aaaa")
            with raises(NotFound, "first 4"):
                await store.eval_set("b%_")
            for unknown in ("aaab", "aaaa11112", "bxxb", "AAAA1111"):
                with raises(NotFound, unknown):
                    await store.eval_set(unknown)

        self.with_store(body)

    def test_versions_are_listed_with_their_lineage(self) -> None:
        """Oldest first, of one name; how many cases are in which split."""

        async def body(store: Store) -> None:
            await store.save_eval_set(sample_eval_set("v2", 3))
            await store.save_eval_set(
                sample_eval_set("v1", 1), parent="v2", change=UNUSUAL_TEXTS[1]
            )
            await store.save_eval_set(sample_eval_set("v2", 3, name="other"))
            old, new = await store.eval_set_versions("support")
            assert (old.name, old.version, old.parent, old.change) == ("support", "v2", None, "")
            assert (old.n_cases, old.n_by_split) == (3, {"dev": 2, "holdout": 1})
            assert (new.version, new.parent, new.change) == ("v1", "v2", UNUSUAL_TEXTS[1])
            assert (new.n_cases, new.n_by_split) == (1, {"dev": 1})
            assert old.created_at
            assert len(await store.eval_set_versions("other")) == 1
            assert await store.eval_set_versions("unknown") == []
            assert await store.eval_set_names() == ["other", "support"]

        self.with_store(body)

    def test_a_version_is_saved_once(self) -> None:
        """Every run saves the version it uses; what was said of it first stays."""

        async def body(store: Store) -> None:
            saved = sample_eval_set("v1")
            await asyncio.gather(
                *(store.save_eval_set(saved, change="first") for _ in range(N_CONCURRENT))
            )
            (before,) = await store.eval_set_versions("support")
            await store.save_eval_set(saved, parent="v0", change="second")
            assert await store.eval_set_versions("support") == [before]
            assert before.change == "first"

        self.with_store(body)
