"""How requests are sent: `requests`, without what it works out anew for every single one.

`requests` prepares a request at more than twice the cost of sending it: it parses the URL over and over, merges settings,
asks the environment for proxies and looks after cookies. All that is the same for every call to one server, so it is done
once for each server. `pool` sends; settings, TLS, redirects and the mapping of errors are those of `requests` as ever
(docs/performance.md has the figures, ADR 0020 the reasons).

Callers give URLs that are encoded already, bodies as bytes, and their headers whole. There are no cookies and no `.netrc`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.utils import check_header_validity
from urllib3.exceptions import HTTPError, LocationValueError

from reconciler.pool import leaner

if TYPE_CHECKING:
    from requests.structures import CaseInsensitiveDict
    from urllib3.connectionpool import ConnectionPool

    from reconciler.pool import Answer

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

Authenticate = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class Wire(requests.Session):
    """A session to one server, and to those that it redirects to. Threads may share it.

    At most `connections` are open to each; who finds all of them in use waits. They are kept alive between calls.
    """

    def __init__(self, connections: int) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(pool_maxsize=connections)
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
    ) -> requests.Response:
        """Send one request and read its answer; requests' own errors.

        `timeout`: seconds for connecting, and for everything up to the answer's last byte, waiting for a connection and
        connecting included. `verify` and `proxies` count at the first request, for they never change.
        """
        if not url.isascii() or not url.isprintable() or " " in url:
            raise requests.exceptions.InvalidURL("an address holds characters that must be encoded")
        if self._settings is None:
            self._settings = self.merge_environment_settings(url, dict(proxies or {}), None, verify, cert)
        request = requests.PreparedRequest()
        request.method = method.upper()
        request.url = f"{url}?{urlencode(params)}" if params else url
        # A plain mapping does, for it is we who write the names.
        request.headers = cast("CaseInsensitiveDict[str]", {"Accept-Encoding": "gzip, deflate", **headers})
        request.body = data
        if data is not None or request.method != "GET":
            request.headers["Content-Length"] = str(len(data or b""))
        if auth is not None:
            request = auth(request)
        for name, value in request.headers.items():
            if value[:1].isspace() or not value.isprintable():
                check_header_validity((name, value))
        how = {**self._settings, "timeout": timeout}
        try:
            response = self.get_adapter(url).send(request, **how)
            if allow_redirects and response.status_code in _REDIRECTS:
                request.prepare_cookies(self.cookies)
                response = [response, *self.resolve_redirects(response, request, **how)][-1]
        except requests.RequestException:
            raise
        except LocationValueError as problem:
            raise requests.exceptions.InvalidURL(problem) from None
        except (HTTPError, ValueError) as problem:
            raise requests.exceptions.ContentDecodingError(problem) from None
        return response


class _Response(requests.Response):
    """An answer that has been read."""

    def __init__(self, answer: Answer, request: requests.PreparedRequest) -> None:
        super().__init__()
        self.status_code = answer.status
        self.headers = cast("CaseInsensitiveDict[str]", answer.headers)
        self.url = str(request.url)
        self.request = request
        self._content = answer.body

    def close(self) -> None:
        """There is nothing left to give back."""


class _Adapter(HTTPAdapter):
    """What an adapter finds out about a server, it finds out once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.poolmanager.pool_classes_by_scheme = leaner(self.poolmanager.pool_classes_by_scheme)
        self._pools: dict[str, ConnectionPool] = {}
        self._by_path: set[str] = set()
        """The servers that are asked for paths, not for whole URLs as some proxies are."""

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        server, path = _parts(request)
        pool = self._pools.get(server)
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            if super().request_url(request, proxies) == path:
                self._by_path.add(server)
            self._pools[server] = pool
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        server, path = _parts(request)
        return path if server in self._by_path else super().request_url(request, proxies)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Done when the pool was made."""

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            manager.pool_classes_by_scheme = leaner(manager.pool_classes_by_scheme)
        return manager

    def close(self) -> None:
        """Give the connections back. Who calls again gets new ones."""
        super().close()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def build_response(self, req: requests.PreparedRequest, resp: Answer) -> requests.Response:  # type: ignore[override]
        """The answer without cookies, and without a guess at how its text is encoded."""
        return _Response(resp, req)


def _parts(request: requests.PreparedRequest) -> tuple[str, str]:
    """The server and the path with its query; a fragment is nobody's business but the browser's."""
    url = str(request.url).partition("#")[0]
    end = url.find("/", url.index("://") + 3)
    return (url[:end], url[end:]) if end > 0 else (url, "/")
