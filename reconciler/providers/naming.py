"""Names at vendors that want every key's name to be unique: each generation has a name of its own.

The first generation has the manifest's name, later ones that name with their number behind it: `splunk`, `splunk.g2`. So the
next generation can be made while the one before it still lives. The mark tells which generation an object is.
"""

from __future__ import annotations

from reconciler.model.mark import Mark


def vendor_name(name: str, mark: Mark | int) -> str:
    """What a key is called at the vendor. `mark`: its mark, or just the generation in it."""
    generation = mark if isinstance(mark, int) else mark.generation
    return name if generation == 1 else f"{name}.g{generation}"


def base_name(found: str, mark: Mark | None) -> str:
    """The manifest's name of a key that was found at the vendor: what carries no mark of ours is called as it is."""
    return found if mark is None else found.removesuffix(f".g{mark.generation}")
