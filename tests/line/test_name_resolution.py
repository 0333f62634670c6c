"""Asking the system for addresses: what hangs takes nothing from others."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from promptyard.line.name_resolution import MAX_RESOLVING, resolve_by_system


class HangingNames:
    """Stands for a name server that does not answer, for names under `.hangs.example`."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.answers = threading.Event()
        self._ask = socket.getaddrinfo

    def getaddrinfo(self, host: str, *arguments: Any, **named: Any) -> Any:
        if not host.endswith(".hangs.example"):
            return self._ask(host, *arguments, **named)
        self.threads.append(threading.current_thread())
        self.answers.wait(10)
        raise socket.gaierror("no answer")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Generator[HangingNames]:
    hanging = HangingNames()
    monkeypatch.setattr(socket, "getaddrinfo", hanging.getaddrinfo)
    yield hanging
    hanging.answers.set()
    for thread in hanging.threads:
        thread.join(5)


def test_names_that_hang_take_no_thread_that_others_need(names: HangingNames) -> None:
    async def body() -> None:
        async def give_up(number: int) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await resolve_by_system(f"a{number}.hangs.example", 80)

        asking = [asyncio.create_task(give_up(number)) for number in range(100)]
        await asyncio.sleep(0.05)
        began_s = time.monotonic()
        await asyncio.to_thread(time.sleep, 0)
        assert time.monotonic() - began_s < 0.2
        await asyncio.gather(*asking)
        assert len(names.threads) == MAX_RESOLVING
        assert all(thread.daemon for thread in names.threads)  # none delays the process's end
        names.answers.set()
        assert await resolve_by_system("127.0.0.1", 80) == ["127.0.0.1"]

    asyncio.run(body())


def test_a_name_without_an_address_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError):
        asyncio.run(resolve_by_system("nowhere.invalid", 80))
