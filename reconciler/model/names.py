"""Names of objects and tenants, and how they are written: `ApiKey/splunk`, `dsm-prod/ApiKey/splunk`."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

NAME_PATTERN: Final = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
NAME: Final = re.compile(NAME_PATTERN[1:-1])


class Kind(StrEnum):
    """The kinds of object that live at a vendor."""

    ACCESS_LEVEL = "AccessLevel"
    SERVICE_USER = "ServiceUser"
    """An account that keys belong to and get their permissions from, where a vendor has no access levels for keys."""
    API_KEY = "ApiKey"

    @property
    def is_level(self) -> bool:
        """Whether keys refer to it: whatever gives a key its permissions is its access level to the planner."""
        return self is not Kind.API_KEY


class ObjectId(NamedTuple):
    """An object's identity within its tenant. As text: `ApiKey/splunk`, which is also its key in the state document."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @classmethod
    @lru_cache(maxsize=4096)  # a plan reads each record's key several times, one tenant after the other
    def parse(cls, text: str) -> ObjectId:
        """Read `Kind/name`; ValueError for anything else."""
        kind, _, name = text.partition("/")
        if not NAME.fullmatch(name):
            raise ValueError(f"{text!r} is not KIND/NAME")
        return cls(Kind(kind), name)
