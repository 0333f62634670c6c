"""Runs the service: one process, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn

from promptyard.config.service_shape import ServiceConfig
from promptyard.errors import ConfigError
from promptyard.line.background import other_replica
from promptyard.line.webhook_settings import check_webhook_settings
from promptyard.protocols import Store
from promptyard.service.app import build_app, is_loopback
from promptyard.service.connection import guarded
from promptyard.service.state import ServiceState

KEEP_ALIVE_S = 75
GRACE_S = 10
"""How long requests that are under way may take after the order to end."""

BACKLOG = 2_048
SEND_BUFFER_BYTES = 256 << 10
"""What the system keeps of an answer for a client (Linux twice as much): left to itself it takes
megabytes for each, and who reads slowly looks for long like somebody who does not read at all."""
log = logging.getLogger("promptyard.service")
_ENDING = (signal.SIGINT, signal.SIGTERM)


def serve(
    store: Store, settings: ServiceConfig, *, on_listening: Callable[[str], None] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; what was acknowledged is stored by then.

    `on_listening` is called with the address once connections are taken. Raises ConfigError where
    the address is not loopback and there is no key, or cannot be listened at, or webhooks could not
    use what the environment says; KeyboardInterrupt after SIGINT, when everything is closed.
    """
    check_webhook_settings()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        interrupted = runner.run(_serve(store, settings, on_listening))
    if interrupted:
        raise KeyboardInterrupt


async def _serve(
    store: Store, settings: ServiceConfig, on_listening: Callable[[str], None] | None
) -> bool:
    """Serve; return whether it was Ctrl-C that ended it."""
    await store.open()
    if not is_loopback(settings.host) and not await store.keys():
        await store.close()
        raise ConfigError(
            f"host is {settings.host}, which others can reach, and there is no key; make one first "
            "with `promptyard keys create NAME --scope admin`"
        )
    listener = await _listen(store, settings)
    await _warn_of_another(store, settings.lease_s)
    state = ServiceState.of(store, settings)
    server = Server(state)
    _spare_the_collector()
    if on_listening is not None:
        host, port = listener.getsockname()[:2]
        on_listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await server.serve(sockets=[listener])
    return server.interrupted


async def _warn_of_another(store: Store, lease_s: float) -> None:
    lease = await other_replica(store)
    if lease is not None:
        log.warning(
            "%s: replica %s works on this store, or was killed within the last %g s; over SQLite "
            "run one replica, over PostgreSQL many: two wait for each other's locks",
            *(store.url, lease.owner, lease_s),
        )


def _spare_the_collector() -> None:
    """Keep the garbage collector from going through all that was loaded, again and again.

    What is there by now stays; a request of spans makes thousands of objects that live for an
    instant. What that saves is within the noise of `benchmarks/service_load.py`: a few percent.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _listen(store: Store, settings: ServiceConfig) -> socket.socket:
    """Take the port before anything else starts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        await store.close()
        raise ConfigError(
            f"nothing can be served at {settings.host}:{settings.port}: {error.strerror}; choose "
            "another --host or --port"
        ) from None
    listener.listen(BACKLOG)  # whoever comes before we are ready waits, and is not refused
    listener.setblocking(False)
    return listener


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the faster event loop where it is installed: not on Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class Server(uvicorn.Server):
    """Serves one replica; tells open streams to end as soon as the process is to end.

    Headers of proxies are not believed: the address in the log is that of who connected. A signal
    ends it in good order, and is no reason to die of the signal after that.
    """

    def __init__(self, state: ServiceState, *, grace_s: int = GRACE_S) -> None:
        config = uvicorn.Config(
            build_app(state),
            http=guarded(state.settings),
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace_s,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        super().__init__(config)
        self._state = state
        self.interrupted = False

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take SIGINT and SIGTERM while serving; a second Ctrl-C does not wait any longer."""
        if threading.current_thread() is not threading.main_thread():  # it gets no signals
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self.interrupted = self.interrupted or sig == signal.SIGINT
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections; they have the buffers of the socket they come in at."""
        for listener in sockets or ():
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        await super().startup(sockets=sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams and what has not arrived in full, then the connections."""
        self._state.stopping.set()
        self._state.bodies.end()
        self._state.changes.look()
        await super().shutdown(sockets=sockets)
