"""Logs that are read on from a number: none turns up behind the reader, however slow its writer."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from promptyard.protocols import Store
from promptyard.records.alerts import Alert
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan
from promptyard.records.versions import Move
from promptyard.storage import open_store
from support.registered import version_of

SLOW_S = 0.5
AT = "2026-01-01T00:00:00.000000+00:00"
SLOW_ROWS = """
CREATE FUNCTION wait_if_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.prompt = 'slow' THEN PERFORM pg_sleep({0}); END IF; RETURN NEW;
END $$;
CREATE TRIGGER wait_for_moves AFTER INSERT ON moves FOR EACH ROW EXECUTE FUNCTION wait_if_slow();
CREATE FUNCTION wait_if_of_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.rollout_id = 'slow' THEN PERFORM pg_sleep({0}); END IF; RETURN NEW;
END $$;
CREATE TRIGGER wait_for_decisions AFTER INSERT ON decisions
  FOR EACH ROW EXECUTE FUNCTION wait_if_of_slow();
CREATE TRIGGER wait_for_alerts AFTER INSERT ON alerts FOR EACH ROW EXECUTE FUNCTION wait_if_slow();
"""
"""A row of the prompt `slow` has its number long before it is committed."""


def move_of(prompt: str) -> Move:
    return Move(
        prompt=prompt, pointer="production", from_number=None, to_number=1, actor="a", reason="r"
    )


def alert_of(prompt: str) -> Alert:
    return Alert(prompt=prompt, kind="threshold", metric="m", value=1, limit=0, sentence="s")


async def rollout_of(store: Store, prompt: str) -> tuple[Rollout, Decision]:
    control, treatment = await store.versions(prompt)
    rollout = Rollout(
        id=prompt,
        prompt=prompt,
        pointer="production",
        control=1,
        treatment=2,
        control_digest=control.digest,
        treatment_digest=treatment.digest,
        plan=RolloutPlan(),
        started_at=AT,
        started_by="a",
    )
    values = {"rollout_id": prompt, "seq": 1, "at": AT, "actor": "a", "action": "start"}
    more = {"state": "running", "step": 0, "enrolled": 0.1, "step_at": AT}
    return rollout, Decision.model_validate({**values, **more})


@pytest.mark.parametrize("log", ["moves", "decisions", "alerts"])
def test_a_number_that_is_read_has_none_before_it_to_come(postgres_url: str, log: str) -> None:
    async def write(store: Store, prompt: str) -> None:
        if log == "moves":
            await store.move_pointer(move_of(prompt))
        elif log == "decisions":
            await store.start_rollout(*await rollout_of(store, prompt))
        else:
            await store.add_alert(alert_of(prompt))

    async def prompts_after(store: Store, seq: int) -> list[tuple[int, str]]:
        if log == "decisions":
            found = await store.decisions_after(seq)
            return [(number, prompt) for number, prompt, _ in found]
        read = store.moves_after if log == "moves" else store.alerts_after
        return [(number, item.prompt) for number, item in await read(seq)]

    async def body() -> None:
        one, other = open_store(postgres_url), open_store(postgres_url)
        await one.open()
        await other.open()
        try:
            for prompt in ("slow", "fast"):
                await one.add_version(version_of("user:\n{{x}}\n", name=prompt))
                if log == "decisions":
                    await one.add_version(version_of("user:\nB {{x}}\n", name=prompt))
                    await one.move_pointer(move_of(prompt))
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                connection.execute(SLOW_ROWS.format(SLOW_S).encode())
            slow = asyncio.create_task(write(one, "slow"))
            await asyncio.sleep(SLOW_S / 2)  # it has its number and is not committed
            assert not slow.done()
            await write(other, "fast")
            read = await prompts_after(other, 0)
            last = read[-1][0]
            await slow
            seen = read + await prompts_after(other, last)
            assert [prompt for _, prompt in seen] == ["slow", "fast"]
        finally:
            await one.close()
            await other.close()

    asyncio.run(body())
