"""What the vendor's own SDK does with API keys; runs in the SDK's own environment, never in ours.

Reads one JSON object from standard input: `url`, `token`. Writes what the SDK saw as one JSON object to standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytmv1
from pytmv1 import ApiExpInMonths, ApiKeyRequest, ApiStatus, QueryOp, ResultCode


def plain(found: Any) -> Any:
    """A model of the SDK's as JSON."""
    return json.loads(found.model_dump_json())


def done(result: Any) -> Any:
    """The response of a call that went well."""
    assert result.result_code == ResultCode.SUCCESS, result.error if hasattr(result, "error") else result.errors
    return result.response


def refused(result: Any) -> list[list[Any]]:
    """Status and code of each error of a call that did not."""
    assert result.result_code == ResultCode.ERROR
    errors = result.errors if hasattr(result, "errors") else [result.error]
    return [[error.status, error.code] for error in errors]


def main() -> None:
    """Everything that the SDK can do with keys."""
    given = json.load(sys.stdin)
    client = pytmv1.init("contract", given["token"], given["url"])
    keys = client.api_key
    seen: dict[str, Any] = {}
    wanted = [
        ApiKeyRequest(
            name="one", role="Auditor", months_to_expiration=ApiExpInMonths.THREE, description="first",
            status=ApiStatus.DISABLED,
        ),
        ApiKeyRequest(name="two", role="Analyst"),
    ]  # fmt: skip
    made = [plain(item) for item in done(keys.create(*wanted)).items]
    seen["made"] = made
    one = made[0]["id"]
    first = done(keys.get(one))
    seen["one"] = plain(first.data)
    done(keys.update(one, first.etag, role="Analyst", name="uno", status=ApiStatus.ENABLED, description="changed"))
    seen["stale"] = refused(keys.update(one, first.etag, description="again"))
    seen["changed"] = plain(done(keys.get(one)).data)
    listed = done(keys.list(50, QueryOp.OR, name="uno", role="Analyst"))
    seen["listed"] = [listed.total_count, listed.count, [key.name for key in listed.items]]
    consumed: list[str] = []
    total = done(keys.consume(lambda key: consumed.append(key.name))).total_consumed
    seen["consumed"] = [total, len(set(consumed))]
    seen["taken"] = refused(keys.create(ApiKeyRequest(name="uno", role="Auditor")))
    seen["connectivity"] = done(client.system.check_connectivity()).status
    seen["deleted"] = [item.status for item in done(keys.delete(*(item["id"] for item in made))).items]
    seen["gone"] = refused(keys.get(one))
    seen["gone twice"] = refused(keys.delete(one))
    json.dump(seen, sys.stdout)


main()
