"""octoDNS: DNS as code, as we are keys as code, and the nearest peer that works on local files alone.

Each key has its counterpart in an A record with a name, a TTL, a type and a value (60 bytes, a sixth of a key's manifest),
and each tenant in a zone with a file of its own. Source and target are octoDNS's own YamlProvider on two equal folders, with
its defaults, so that a sync finds nothing to do. `octodns-sync` reads both sides and compares them; `octodns-validate` reads
one. The released package is used as it comes, pinned and hashed, in an environment of its own.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.generate import tenant_names
from benchmarks.measure import ROOT, run

REQUIREMENTS = ROOT / "requirements" / "bench-octodns.txt"
_PROVIDERS = "providers:\n" + "".join(
    f"  {side}: {{{{class: octodns.provider.yaml.YamlProvider, directory: '{{folder}}/{side}'}}}}\n"
    for side in ("source", "target")
)


class Peer:
    """octoDNS with a folder of zones. Its environment is made at first need, below `build/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bin = _environment() / "bin"

    @property
    def version(self) -> Sequence[str]:
        """Start, import, and end."""
        return [str(self._bin / "octodns-sync"), "--version", "--config-file", "none"]

    @property
    def sync(self) -> Sequence[str]:
        """Compare the two sides, and say that there is nothing to do."""
        return [str(self._bin / "octodns-sync"), "--quiet", "--config-file", str(self._folder / "config.yaml")]

    @property
    def validate(self) -> Sequence[str]:
        """Read one side and check it."""
        return [str(self._bin / "octodns-validate"), "--config-file", str(self._folder / "config.yaml")]

    def generate(self, records: int, zones: int) -> None:
        """So many records, spread over the zones as keys are over tenants."""
        names = [f"{name}.example.com." for name in tenant_names(zones)]
        for index, zone in enumerate(names):
            count = records // zones + (index < records % zones)
            text = "---\n" + "".join(
                f"key-{number:05}:\n  ttl: 300\n  type: A\n  value: 203.0.{number // 250}.{number % 250 + 1}\n"
                for number in range(count)
            )
            for side in ("source", "target"):
                place = self._folder / side / f"{zone}yaml"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
        zones_part = "".join(f"  {zone}: {{sources: [source], targets: [target]}}\n" for zone in names)
        config = _PROVIDERS.format(folder=self._folder) + "zones:\n" + zones_part
        (self._folder / "config.yaml").write_text(config)


def _environment() -> Path:
    """An environment with what `REQUIREMENTS` pins, and nothing else; made anew when the pins change."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = ROOT / "build" / f"bench-octodns-{wanted}"
    if not (home / "ready").exists():
        print(f"installing {REQUIREMENTS.name}", file=sys.stderr)
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(home)], {})
        pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check"]
        run([*pip, "install", "-qq", "--require-hashes", "--only-binary=:all:", "-r", str(REQUIREMENTS)], {})
        (home / "ready").touch()
    return home
