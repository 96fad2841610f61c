"""Trying a secret that a person has brought, before anything is written."""

from __future__ import annotations

from reconciler.apply.tools import Tools
from reconciler.errors import InvalidInput
from reconciler.providers.base import Issued, Verification


def tried(tools: Tools, issued: Issued, where: str, *, locked: bool, unverified: bool) -> Verification:
    """What the vendor says of an id and a secret. InvalidInput, with nothing written, if it does not accept them.

    Nothing can be told of a key that is locked, for that is refused in any case. What cannot be told is taken where
    `unverified` says so.
    """
    found = tools.tenant.session.verify(issued)
    if found is Verification.BAD and not locked:
        raise InvalidInput(
            "the vendor does not accept this id and secret",
            where=where,
            hint="nothing was written; a secret that is lost can be generated anew in the console",
        )
    if found is Verification.GOOD:
        return found
    if not unverified:
        raise InvalidInput(
            "it cannot be told from here whether this id and secret are good (an address restriction, or a locked key?)",
            where=where,
            hint="nothing was written; if you are sure of them, add --unverified",
        )
    return Verification.UNVERIFIABLE
