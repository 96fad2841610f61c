"""The person whom a handoff asks: reads the steps, clicks as they say, and brings back what the console shows.

It knows nothing but the steps that `reconciler handoff --format json` lists. So what is shown is enough to go by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.cli.demo.vendors import CarbonBlackCloud, Lacework, Vendor

_ENTRY = re.compile(r"(?P<what>[A-Z][\w ]*): (?P<value>.+)")
_TICK = re.compile(r"\s*(?P<name>[\w.]+)(?: \(.*\))?: (?P<operations>[A-Z, ]+)")
_SELECT = re.compile(r"select '(?P<user>[^']+)'")


@dataclass(slots=True)
class Person:
    """What the person has at hand: `pasted` are the lines for standard input by target, `files` what was downloaded."""

    vendors: Mapping[str, Vendor]
    downloads: Path
    pasted: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, Path] = field(default_factory=dict)

    def work_off(self, listed: str) -> Iterator[str]:
        """Do everything on a list of open handoffs, or asked for by the last apply, and say what was done."""
        for tenant in json.loads(listed)["tenants"]:
            for one in tenant["waiting"]:
                kind, _, name = one["object"].partition("/")
                yield f"{tenant['tenant']}: {self._do(tenant['tenant'], kind, name, one['steps'])}"

    def _do(self, tenant: str, kind: str, name: str, steps: list[str]) -> str:
        vendor = self.vendors[tenant]
        entered = {found["what"]: found["value"] for step in steps if (found := _ENTRY.fullmatch(step))}
        if isinstance(vendor, Lacework):
            return self._downloads_a_key(vendor, f"{tenant}/{name}", entered, " ".join(steps))
        if not isinstance(vendor, CarbonBlackCloud):
            raise TypeError(f"nobody knows what to click for {tenant}/{name}")
        if kind == "AccessLevel":
            ticks = {found["name"]: found["operations"].split(", ") for one in steps if (found := _TICK.fullmatch(one))}
            vendor.emulator.click_create_level(entered["Name"], ticks, description=entered["Description"])
            return f"adds the access level {entered['Name']} with {len(ticks)} permissions"
        return self._copies_a_key(vendor, f"{tenant}/{name}", entered)

    def _copies_a_key(self, vendor: CarbonBlackCloud, target: str, entered: Mapping[str, Any]) -> str:
        addresses = entered["Authorized IP addresses"].split(", ")
        number, secret = vendor.emulator.click_create_key(
            entered["Name"], entered["Custom Access Level"], description=entered["Description"], ips=addresses
        )
        self.pasted[target] = f"{number}\n{secret}\n"
        return f"adds the API key {entered['Name']}; its window shows API ID and API Secret Key"

    def _downloads_a_key(self, vendor: Lacework, target: str, entered: Mapping[str, Any], steps: str) -> str:
        selected = _SELECT.search(steps)
        owner = vendor.user(selected["user"] if selected else "")
        content = vendor.emulator.console_create_key(owner, entered["Name"], entered["Description"])
        file = self.downloads / f"{target.partition('/')[0]}-{entered['Name']}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        self.files[target] = file
        return f"adds the API key {entered['Name']} for the service user and downloads its file, {file.name}"
