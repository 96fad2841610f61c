"""Writing manifests: values to YAML in the usual form, read back before anybody trusts it, and into files that are new."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.errors import InvalidInput, printable
from reconciler.manifest import reader
from reconciler.manifest.check import Wrong, check
from reconciler.manifest.format import format_text
from reconciler.manifest.jsonschema import field_order
from reconciler.manifest.models import API_VERSION, Manifest
from reconciler.manifest.source import ROOT_FILE, find_root, shown

_WIDTH: Final = 1_000_000
"""No text is folded: `fmt` leaves lines as long as they are."""


class _Time(str):
    """A time, which needs no quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the library's
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None if _is_text(value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _is_text(value: str) -> bool:
    """Whether YAML 1.2 reads it as a text without quotes; the library quotes what YAML 1.1 does not."""
    try:
        return bool(reader.resolve(value) == value)
    except ValueError:
        return False


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Time, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:timestamp", value))


def manifest(kind: str, name: str, tenant: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of one object of one tenant, as YAML gives it."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "tenant": tenant}, "spec": dict(spec)}


def text_of(value: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """A manifest's text, as `fmt` would leave it, below these lines of comment.

    InvalidInput if no YAML can hold what it says.
    """
    plain = json.loads(json.dumps(value))  # tuples, and texts of other classes
    if isinstance(plain.get("spec", {}).get("expires"), str):
        plain["spec"]["expires"] = _Time(plain["spec"]["expires"])
    dumped = yaml.dump(plain, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)
    head = "".join(f"# {printable(' '.join(line.split()))}\n" for line in comments)
    return format_text(head + dumped, "a new manifest", field_order)


def read_back(text: str) -> tuple[Any, Manifest | Wrong]:
    """What a manifest's text says, and the manifest or what is wrong with it. InvalidInput if it cannot be read."""
    try:
        [document] = reader.values(text.encode())
    except (reader.Unusual, yaml.YAMLError, ValueError):
        raise InvalidInput("it holds characters that no manifest can hold") from None
    return document.value, check(document)


def place(folder: Path, estate: Path) -> Path:
    """The folder for new manifests, resolved. InvalidInput if the estate's manifests are not looked for there."""
    target, root = folder.resolve(), find_root(estate.resolve())
    nearest = next((one for one in (target, *target.parents) if one.is_dir()), target)
    if root is None or find_root(nearest) != root or not target.is_relative_to(root):
        raise InvalidInput(
            "this folder is outside the estate, where no plan would see the manifests",
            where=shown(target),
            hint=f"name one below {shown(root) if root is not None else f'the folder with {ROOT_FILE}'}",
        )
    if any(part.startswith(".") for part in target.relative_to(root).parts):
        raise InvalidInput("manifests in hidden folders are not read", where=shown(target))
    if target.exists() and not target.is_dir():
        raise InvalidInput("this is a file, and a folder is needed", where=shown(target))
    return target


def holds(path: Path, text: str) -> bool:
    """Whether a file says just that already."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def write_new(files: Mapping[Path, str]) -> tuple[Path, ...]:
    """Write files and the folders that they need: all of them or none. Returns those that were not there before.

    InvalidInput if one cannot be written, or is there and says something else.
    """
    new = {path: text for path, text in files.items() if not holds(path, text)}
    for path in new:
        if path.exists() or path.is_symlink():
            raise InvalidInput("there is such a file already, and it is not overwritten", where=shown(path))
    written: list[Path] = []
    try:
        for path, text in new.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, text)
            written.append(path)
    except OSError as problem:
        take_away(written)
        raise InvalidInput(f"cannot be written: {problem.strerror}", where=shown(path)) from None
    except BaseException:
        take_away(written)
        raise
    return tuple(written)


def _write_whole(path: Path, text: str) -> None:
    """Write a new file that is there as a whole or not at all, whenever we die. FileExistsError if there is one already.

    It is written under a hidden name, which a reader of the estate passes over, and gets its own by a link: unlike a rename
    that never replaces a file.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.new")
    hidden.unlink(missing_ok=True)
    try:
        with hidden.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        path.hardlink_to(hidden)
    finally:
        hidden.unlink(missing_ok=True)


def take_away(files: Sequence[Path]) -> None:
    """Remove files that were just written. Their folders stay."""
    for path in files:
        path.unlink(missing_ok=True)
