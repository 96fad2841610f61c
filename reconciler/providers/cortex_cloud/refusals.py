"""What the vendor says when it says no. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def said(body: Mapping[str, Any]) -> str | None:
    """What an error says, in any of the vendor's four forms (8): its message, and behind it what is special about it."""
    for name in ("reply", "data"):
        inner = body.get(name)
        if isinstance(inner, dict):
            body = inner
            break
    message = next((body[name] for name in ("err_msg", "message") if isinstance(body.get(name), str)), None)
    metadata = body.get("metadata")
    extra = body.get("err_extra", metadata.get("err_extra") if isinstance(metadata, dict) else None)
    parts = [message, *(_extra(one) for one in (extra if isinstance(extra, list) else [extra]))]
    return " ".join(part for part in parts if part) or None


def _extra(item: object) -> str | None:
    """One item of `err_extra`: a text, or a mapping with a message. What was sent (`input`) is not repeated."""
    if isinstance(item, dict):
        item = item.get("msg", item.get("message"))
    return item if isinstance(item, str) else None
