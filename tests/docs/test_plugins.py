"""The page for writers of providers shows code of the example plugin, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
BLOCK = re.compile(r"(?:<!-- from: (?P<file>\S+) -->\n)?```(?:python|toml)\n(?P<code>.*?)```", re.DOTALL)


def test_every_code_block_is_taken_from_the_example() -> None:
    """What readers copy is what the conformance suite has proved."""
    blocks = list(BLOCK.finditer(PAGE))
    assert len(blocks) > 5
    for block in blocks:
        assert block["file"], block["code"]
        assert block["code"] in (ROOT / block["file"]).read_text("utf-8"), block["code"]
