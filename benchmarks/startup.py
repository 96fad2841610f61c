"""How long a command takes that does next to nothing: importing, mostly."""

from __future__ import annotations

import sys

from benchmarks.generate import generate
from benchmarks.measure import Asked, Figures, Step, rounds, seconds

LIBRARIES = "import click, pydantic, yaml"
"""What `validate` cannot do without."""


def figures(asked: Asked) -> Figures:
    estate = asked.scratch / "estate"
    generate(estate, keys=1, tenants=1)
    commands = {
        "python": ["-c", "pass"],
        "import_click": ["-c", "import click"],
        "help": ["-m", "reconciler", "--help"],
        "version": ["-m", "reconciler", "--version"],
        "import_libraries": ["-c", LIBRARIES],
        "validate_one": ["-m", "reconciler", "validate", str(estate / "tenants/tenant-001/keys-001.yaml")],
    }

    def step(name: str) -> Step:
        return lambda: {name: seconds([sys.executable, *commands[name]], asked.environment)}

    return rounds(2 * asked.rounds, [step(name) for name in commands])
