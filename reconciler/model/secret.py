"""A value that no one may see on its way from the vendor's answer to Vault.

`Secret` answers every ordinary way of looking at it (printing, formatting, logging, comparing, hashing, pickling,
copying, JSON, iteration) with a placeholder or a `TypeError`. Exactly two parties call `reveal`: the Vault store,
which writes the value, and a provider's authenticator, which sends it to the vendor that issued it. A test holds them
to that.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

PLACEHOLDER: Final = "<secret>"


class Secret:
    """One secret value. Empty values are refused, for storing one would look like success."""

    __slots__ = ("__value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        if not value:
            raise ValueError("a secret is a text that is not empty")
        self.__value = value

    def reveal(self) -> str:
        """The value itself: for the Vault store and the provider's authenticator only."""
        return self.__value

    def __repr__(self) -> str:
        return PLACEHOLDER

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(PLACEHOLDER, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            raise TypeError("a secret can be compared to a secret only")
        return hmac.compare_digest(*(value.encode(errors="surrogatepass") for value in (self.__value, other.__value)))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to give away")

    def __setattr__(self, name: str, value: object) -> None:
        if name != "_Secret__value" or hasattr(self, name):
            raise AttributeError("a secret cannot be changed")
        object.__setattr__(self, name, value)
