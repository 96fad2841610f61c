"""`python -m reconciler`."""

from __future__ import annotations

from reconciler.cli import process

if __name__ == "__main__":
    process()
