"""How requests are sent: `requests`, without what it works out anew for every single one.

`requests` prepares a request at more than twice the cost of sending it: it parses the URL over and over, merges settings,
asks the environment for proxies and looks after cookies. All that is the same for every call to one server, so it is done
once for each server; what sends, pools connections, speaks TLS and maps errors is `requests` and `urllib3` as ever
(docs/performance.md, "Apply", has the figures).

Callers give URLs that are encoded already, bodies as bytes, and their headers whole. There are no cookies and no `.netrc`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import check_header_validity
from urllib3.exceptions import HTTPError, ReadTimeoutError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ALWAYS: Final = {"Accept-Encoding": "gzip, deflate", "Connection": "keep-alive"}

Authenticate = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class Wire(requests.Session):
    """A session to one server, and to those that it redirects to. Threads may share it.

    At most `connections` are open to each; who finds all of them in use waits. They are kept alive between calls.
    """

    def __init__(self, connections: int) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(pool_maxsize=connections, pool_block=True)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self._settings: Mapping[str, Any] | None = None

    def request(  # type: ignore[override]  # what is used of it
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        data: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        auth: Authenticate | None = None,
        verify: bool | str | None = None,
        proxies: Mapping[str, str] | None = None,
        cert: None = None,
        allow_redirects: bool = False,
        stream: bool = False,
    ) -> requests.Response:
        """Send one request; requests' own errors. `verify` and `proxies` count at the first one, for they never change."""
        if self._settings is None:
            self._settings = self.merge_environment_settings(url, dict(proxies or {}), None, verify, cert)
        request = requests.PreparedRequest()
        request.method = method.upper()
        request.url = f"{url}?{urlencode(params)}" if params else url
        request.headers = CaseInsensitiveDict({**_ALWAYS, **headers})
        request.body = data
        if request.method != "GET":
            request.headers["Content-Length"] = str(len(data or b""))
        if auth is not None:
            request = auth(request)
        for header in request.headers.items():
            check_header_validity(header)
        how = {**self._settings, "timeout": timeout, "stream": True}
        response = self.get_adapter(url).send(request, **how)
        if allow_redirects and response.status_code in _REDIRECTS:
            request.prepare_cookies({})
            response = [response, *self.resolve_redirects(response, request, **how)][-1]
        if not stream:
            response.content  # noqa: B018  it is read here, where its errors are expected
        return response


class _Response(requests.Response):
    """An answer that is read in one piece, if it is read by its `content`."""

    @cached_property
    def content(self) -> bytes:
        try:
            body: bytes = self.raw.read(decode_content=True)
        except ReadTimeoutError as problem:
            raise requests.ReadTimeout(problem) from None
        except HTTPError as problem:
            raise requests.exceptions.ChunkedEncodingError(problem) from None
        return body


class _Adapter(HTTPAdapter):
    """What an adapter finds out about a server, it finds out once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pools: dict[tuple[str, ...], ConnectionPool] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        server = tuple(str(request.url).split("/", 3)[:3])
        pool = self._pools.get(server)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            self._pools[server] = pool
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Done when the pool was made."""

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """The answer without cookies, and without a guess at how its text is encoded."""
        response = _Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.reason = str(resp.reason or "")
        response.url = str(req.url)
        response.request = req
        return response
