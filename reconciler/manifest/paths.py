"""Where secrets may be in Vault: path templates, and the strict set of characters that keeps them where they look to be.

A path `a/../b` is normalised by HTTP clients and really climbs, and `%2F` splits a segment (VAULT.md), so paths are made of
letters, digits, `-`, `_` and `.` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from reconciler.manifest.scalars import refuse
from reconciler.model.desired import VaultPath

_SEGMENT: Final = r"[A-Za-z0-9_.-]+"
_PATH_PATTERN: Final = rf"^{_SEGMENT}(/{_SEGMENT})*$"
_TEMPLATE_SEGMENT: Final = r"([A-Za-z0-9_.-]|\{tenant\}|\{key\})+"
_TEMPLATE_PATTERN: Final = rf"^{_TEMPLATE_SEGMENT}(/{_TEMPLATE_SEGMENT})*$"
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")
_PLACEHOLDERS: Final = ("{tenant}", "{key}")
_FOREIGN_CHARACTER: Final = re.compile(r"[^A-Za-z0-9_./-]")
_HINT: Final = "segments of letters, digits, '-', '_' and '.', separated by single '/'"


def check_path(path: str) -> str:
    """Refuse a path that climbs out, has empty segments or holds a character that is not safe."""
    _check(path, path)
    return path


def _check(path: str, written: str) -> None:
    if path.startswith("/") or path.endswith("/"):
        right = written.strip("/")
        refuse(f"is {written!r}, which begins or ends with '/'", f"did you mean {right!r}?" if right else _HINT)
    segments = path.split("/")
    if not all(segments):
        refuse(f"is {written!r}, which has an empty segment", _HINT)
    if any(segment in {".", ".."} for segment in segments):
        refuse(f"is {written!r}, which climbs out of its folder", "no segment may be '.' or '..'")
    if found := _FOREIGN_CHARACTER.search(path):
        refuse(f"is {written!r}, which holds {found[0]!r}", _HINT)


def check_template(path: str) -> str:
    """Refuse what `check_path` refuses, unknown placeholders, and templates that do not name each key apart."""
    for placeholder in _PLACEHOLDER.findall(path):
        if placeholder not in _PLACEHOLDERS:
            refuse(f"is {path!r}, with the unknown placeholder {placeholder}", "known are {tenant} and {key}")
    _check(path.replace("{tenant}", "t").replace("{key}", "k"), path)
    if "{key}" not in path:
        refuse(f"is {path!r}, without {{key}}: all keys would share one entry", "end it with /{key}")
    return path


Path = Annotated[str, Field(json_schema_extra={"pattern": _PATH_PATTERN}), AfterValidator(check_path)]
Template = Annotated[str, Field(json_schema_extra={"pattern": _TEMPLATE_PATTERN}), AfterValidator(check_template)]


def fill(template: VaultPath, tenant: str, key: str) -> VaultPath:
    """The entry of one key. Names are safe by their own pattern, so that filling cannot undo `check_template`."""
    return VaultPath(template.mount, template.path.replace("{tenant}", tenant).replace("{key}", key))


class Reserved:
    """Entries at or under which no secret of a key may be, each and what it is. Look-ups take no longer for more of them."""

    def __init__(self, entries: Iterable[tuple[VaultPath, str]]) -> None:
        self._known: dict[str, str | None] = {str(path): what for path, what in entries}
        self._entries: Mapping[str, str | None] = dict(self._known)

    def above(self, path: str) -> str | None:
        """What an entry, given as text, lies under (or is), if anything."""
        return self._entries.get(path) or self._above_folder(path.rpartition("/")[0])

    def _above_folder(self, folder: str) -> str | None:
        if folder not in self._known:
            self._known[folder] = self._above_folder(folder.rpartition("/")[0]) if folder else None
        return self._known[folder]
