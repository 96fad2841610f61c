"""What every emulator is: endpoints, counters, credentials, and a lock around its state.

An emulator is synchronous: it gets a `Call` and gives a Starlette `Response`. The server around it (`app`) does what all
have in common: reading bodies, counting, latency, faults.
"""

from __future__ import annotations

import json
import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from re import Pattern
from typing import Any, ClassVar

from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from reconciler.emulator.clock import Clock, SystemClock
from reconciler.emulator.faults import Faults


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many calls a sliding window admits; None stands for the vendor's own figure."""

    per_key: int | None = None
    per_tenant: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen for an emulator of any product. A seed makes ids, secrets and faults repeatable."""

    seed: int | None = None
    tenant: int = 1
    """Tells tenants apart that are made from the same seed."""
    rate_limit: RateLimit | None = None
    clock: Clock = field(default_factory=SystemClock)

    def random(self) -> random.Random:
        """The source of everything that an emulator makes up."""
        if self.seed is None:
            return random.SystemRandom()
        return random.Random(f"{self.seed}/{self.tenant}")  # noqa: S311  repeatable on purpose


@dataclass(frozen=True, slots=True)
class Call:
    """One request as an emulator sees it: its path is below the emulator's mount, header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    template: str = ""
    """The path as the vendor's contract writes it: `/apikeys/{apiKeyID}`."""
    params: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON, None if there is none; ValueError if it is something else."""
        return json.loads(self.body) if self.body.strip() else None

    def cookie(self, name: str) -> str:
        """A cookie's value, or nothing."""
        morsel = SimpleCookie(self.headers.get("cookie", "")).get(name)
        return morsel.value if morsel else ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the vendor's contract. `path` starts at the emulator's mount, `template` is what it is called."""

    method: str
    path: str
    template: str
    answer: Callable[[Call], Response]
    creates: bool = False


class Emulator(ABC):
    """One tenant (or installation) of one product. Methods that are not HTTP are for tests and the demo."""

    name: ClassVar[str]
    """The provider that it stands in for."""
    base_path: ClassVar[str] = ""
    """What an endpoint ends with: `/api`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = settings.clock
        self.lock = threading.RLock()
        self.faults = Faults(settings.seed)
        self.requests: Counter[str] = Counter()
        """How often each operation was asked for, faults included: `{"POST /apikeys": 3}`."""
        self._routes: list[tuple[Endpoint, Pattern[str]]] = []

    @property
    @abstractmethod
    def credentials(self) -> Mapping[str, str]:
        """The bootstrap credential, under the names that a Tenant's `credentials` use."""

    @property
    def tenant_options(self) -> Mapping[str, Any]:
        """What a Tenant's `options` must say to reach it; nothing, at most products."""
        return {}

    @property
    @abstractmethod
    def issued(self) -> tuple[str, ...]:
        """Every secret that was ever issued, dead ones included. For canary searches in tests only."""

    @abstractmethod
    def error(self, status: int, message: str) -> Response:
        """An error as this vendor writes it."""

    @abstractmethod
    def hide(self, created: Response) -> None:
        """Leave the object that this answer to a creation tells of out of the next listing."""

    def serve_endpoints(self, endpoints: Iterable[Endpoint]) -> None:
        """Say what can be asked for. The first match wins."""
        self._routes = [(endpoint, compile_path(endpoint.path)[0]) for endpoint in endpoints]

    def match(self, method: str, path: str) -> tuple[Endpoint | None, str, Mapping[str, str]]:
        """The endpoint for a request (None: there is none), the template to count it under, and path parameters."""
        template = path
        for endpoint, pattern in self._routes:
            if found := pattern.match(path):
                if endpoint.method == method:
                    return endpoint, endpoint.template, found.groupdict()
                template = endpoint.template
        return None, template, {}

    def handle(self, endpoint: Endpoint | None, call: Call) -> Response:
        """Act, and answer."""
        if endpoint is None:
            return self.error(404, "No such operation.")
        with self.lock:
            return endpoint.answer(call)


def json_response(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return JSONResponse(content, status)
