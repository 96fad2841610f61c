"""The ASGI application around emulators: one request in, counted, delayed, perhaps hit by a fault, answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Final

from starlette.datastructures import Headers, QueryParams
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Receive, Scope, Send

from reconciler.emulator.base import Call, Emulator
from reconciler.emulator.clock import Clock
from reconciler.emulator.faults import Fault, FaultName

TRANSPORT: Final = "reconciler.transport"
"""Where the server puts the connection's transport: ASGI itself has no way to hang up."""

_LOGIN_PAGE: Final = (
    "<!doctype html><title>Sign in</title><form method=post><input name=user><input type=password></form>"
)
_BAD_GATEWAY: Final = "<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>"

_WITHOUT_ACTING: Final[dict[FaultName, tuple[int, str]]] = {
    FaultName.UNAVAILABLE: (503, "The service is unavailable."),
    FaultName.UNAUTHORIZED: (401, "Authentication failed."),
    FaultName.FORBIDDEN: (403, "Not authorized."),
    FaultName.RATE_LIMITED: (429, "Too many API requests."),
    FaultName.ERROR_BEFORE: (500, "Internal server error."),
    FaultName.LATE_CREATE: (504, "Gateway time-out."),
}


@dataclass(frozen=True, slots=True)
class _Exchange:
    """The three parts of an ASGI call."""

    scope: Scope
    receive: Receive
    send: Send

    async def reply(self, response: Response) -> None:
        """Answer."""
        await response(self.scope, self.receive, self.send)

    async def disconnected(self) -> None:
        """Wait until the connection is gone: once the body was read, there is nothing else to receive."""
        await self.receive()

    async def hang_up(self) -> None:
        """End the TCP connection without an answer, and wait until the server has noticed, lest it send one."""
        self.scope[TRANSPORT].abort()
        await self.disconnected()

    async def break_off(self, response: Response) -> None:
        """Send half of what was announced, and close."""
        head = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        await self.send(head)
        await self.send({"type": "http.response.body", "body": _half(response), "more_body": True})
        self.scope[TRANSPORT].close()  # what was written still goes out
        await self.disconnected()


@dataclass(slots=True)
class _Late:
    """A creation that was answered with a time-out and happens later."""

    remaining: int
    act: Callable[[], Response]


class Application:
    """Several emulators side by side, told apart by the first part of the path; `""` gets what no other one gets."""

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        """Seconds that every answer takes longer."""
        self.connections = 0
        """How many clients' connections there have been, with TLS each one a handshake."""
        self._mounts: dict[str, Emulator] = {}
        self._late: dict[Emulator, list[_Late]] = {}
        self._closing = asyncio.Event()

    def mount(self, emulator: Emulator, prefix: str = "") -> None:
        """Serve an emulator below `/prefix`, or at the root."""
        self._late[emulator] = []
        self._mounts[prefix] = emulator

    def unmount(self, prefix: str) -> None:
        """Serve it no longer."""
        del self._late[self._mounts.pop(prefix)]

    def close(self) -> None:
        """Let go of every request that hangs. Called in the server's own loop."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _read(receive)
        first, _, rest = scope["path"][1:].partition("/")
        emulator, path = (
            (self._mounts[first], f"/{rest}") if first in self._mounts else (self._mounts.get(""), scope["path"])
        )
        if emulator is None:
            await Response(status_code=404)(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, _dated(send, emulator.clock))
        query = dict(QueryParams(scope["query_string"])) if scope["query_string"] else {}
        call = Call(scope["method"], path, query, Headers(scope=scope), body)
        endpoint, template, params = emulator.match(call.method, path)
        call = replace(call, template=template, params=params)
        emulator.requests[f"{call.method} {template}"] += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        self._come_true(emulator)
        creates = endpoint is not None and endpoint.creates
        fault = emulator.faults.choose(call.method, template, path, creates=creates)
        if fault is None:
            await exchange.reply(emulator.handle(endpoint, call))
        else:
            await self._go_wrong(fault, emulator, lambda: emulator.handle(endpoint, call), exchange)

    def _come_true(self, emulator: Emulator) -> None:
        late = self._late.get(emulator)
        if not late:
            return
        for item in late:
            item.remaining -= 1
        self._late[emulator] = [item for item in late if item.remaining >= 0]
        for item in late:
            if item.remaining < 0:
                item.act()

    async def _go_wrong(
        self, fault: Fault, emulator: Emulator, act: Callable[[], Response], exchange: _Exchange
    ) -> None:
        if fault.name in _WITHOUT_ACTING:
            if fault.name is FaultName.LATE_CREATE:
                self._late[emulator].append(_Late(fault.requests, act))
            response = emulator.error(*_WITHOUT_ACTING[fault.name])
            if fault.retry_after is not None:
                response.headers["Retry-After"] = str(fault.retry_after)
            await exchange.reply(response)
        elif fault.name is FaultName.HTML:
            await exchange.reply(HTMLResponse(_LOGIN_PAGE))
        elif fault.name is FaultName.HTML_ERROR:
            await exchange.reply(HTMLResponse(_BAD_GATEWAY, 502))
        elif fault.name is FaultName.RESET_BEFORE:
            await exchange.hang_up()
        else:
            await self._act_and_go_wrong(fault, emulator, act(), exchange)

    async def _act_and_go_wrong(
        self, fault: Fault, emulator: Emulator, response: Response, exchange: _Exchange
    ) -> None:
        """Something was done; its answer does not arrive, or not in time, or not whole, or is not the whole truth."""
        if fault.name is FaultName.ERROR_AFTER:
            await exchange.reply(emulator.error(500, "Internal server error."))
        elif fault.name is FaultName.HIDDEN_IN_LIST:
            emulator.hide(response)
            await exchange.reply(response)
        elif fault.name is FaultName.TRUNCATED:
            await exchange.reply(Response(_half(response), response.status_code, media_type=response.media_type))
        elif fault.name is FaultName.CUT_OFF:
            await exchange.break_off(response)
        else:
            if fault.name is FaultName.HANG_AFTER:
                await self._hang(fault.seconds, exchange)
            await exchange.hang_up()

    async def _hang(self, seconds: float, exchange: _Exchange) -> None:
        """Do nothing until the client has gone, the time is up, or the server closes."""
        waits = [asyncio.ensure_future(wait) for wait in (exchange.disconnected(), self._closing.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def _dated(send: Send, clock: Clock) -> Send:
    """Every answer says what time it is for the vendor."""

    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = formatdate(clock.now_ms() // 1000, usegmt=True).encode()
            message = {**message, "headers": [*message["headers"], (b"date", date)]}
        await send(message)

    return dated


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message: Message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _half(response: Response) -> bytes:
    body = bytes(response.body)
    return body[: len(body) // 2]
