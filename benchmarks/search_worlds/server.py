"""The worlds behind the chat-completions protocol, in a process of its own.

    python -m search_worlds.server [--port 0] [--latency-ms 0]       (in the folder benchmarks/)

Prints its port. `POST /runs/<run>/<world>/<seed>/v1/chat/completions` answers with the models
`task` and `optimizer`; `GET /runs/<run>` gives what this run has called, by role and split, so that
no client has to be believed. Runs whose name begins with `audit` answer without the latency.
`--record FILE` appends every body that is sent to a file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from search_worlds import world_of
from search_worlds.service import Service

LARGEST_BODY = 64 * 2**20


class Runs:
    """The services of all runs, made when a run first calls."""

    def __init__(self, latency_s: float = 0.0, record: Path | None = None) -> None:
        self.latency_s = latency_s
        self.record = record
        self._services: dict[str, Service] = {}

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/runs/{run}/{world}/{seed}/v1/chat/completions", self.complete)
        app.router.add_get("/runs/{run}", self.count)
        return app

    async def complete(self, request: web.Request) -> web.Response:
        """Answer one chat-completions call."""
        where = request.match_info
        try:
            service = self._service(where["run"], where["world"], int(where["seed"]))
            body = json.loads(await request.read())
            if self.record is not None:
                with self.record.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(body) + "\n")
            answered = completion_document(service, body)
        except (ValueError, TypeError, AttributeError) as error:
            said = {"message": f"{type(error).__name__}: {error}", "type": "invalid_request_error"}
            return web.json_response({"error": said}, status=400)
        if self.latency_s and not where["run"].startswith("audit"):
            await asyncio.sleep(self.latency_s)
        return web.json_response(answered)

    async def count(self, request: web.Request) -> web.Response:
        """Say what a run has called so far; nothing for one that is not known."""
        service = self._services.get(request.match_info["run"])
        return web.json_response(service.counts.said() if service else {})

    def _service(self, run: str, world: str, seed: int) -> Service:
        service = self._services.get(run)
        if service is None:
            service = self._services[run] = Service(world_of(world, seed))
        if (service.world.seed, service.world.name) != (seed, world_of(world, seed).name):
            raise ValueError(f"run {run!r} is one of {service.world.name}, {service.world.seed}")
        return service


def completion_document(service: Service, body: Mapping[str, Any]) -> dict[str, Any]:
    """The response document of one call."""
    answered = service.answer(body)
    return {
        "id": f"chatcmpl-{sum(service.counts.calls.values())}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model", ""),
        "choices": [
            {
                "index": number,
                "message": {"role": "assistant", "content": choice.text},
                "finish_reason": choice.finish_reason,
            }
            for number, choice in enumerate(answered.choices)
        ],
        "usage": {
            "prompt_tokens": answered.prompt_tokens,
            "completion_tokens": answered.completion_tokens,
            "total_tokens": answered.prompt_tokens + answered.completion_tokens,
        },
    }


async def serve(port: int, latency_s: float, record: Path | None) -> None:
    """Serve on 127.0.0.1 until the process is ended."""
    runner = web.AppRunner(Runs(latency_s, record).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="of every call")
    parser.add_argument("--record", type=Path, help="a file for the bodies")
    given = parser.parse_args()
    try:
        asyncio.run(serve(given.port, given.latency_ms / 1000, given.record))
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
