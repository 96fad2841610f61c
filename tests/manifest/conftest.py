"""An empty estate for the tests of one rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifest.estates import Folder


@pytest.fixture
def bare(tmp_path: Path) -> Folder:
    """An estate with its settings and nothing else."""
    return Folder(tmp_path.resolve())
