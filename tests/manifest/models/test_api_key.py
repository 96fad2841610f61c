from __future__ import annotations

import pytest

from reconciler.manifest.models import API_VERSION, ApiKey, api_key


def test_rotations_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal rotations are one object, as long as there are not too many different ones."""

    def rotation(every: str) -> object:
        spec = {"accessLevel": "x", "rotation": {"every": every}}
        key = {"apiVersion": API_VERSION, "kind": "ApiKey", "metadata": {"name": "a", "tenant": "b"}, "spec": spec}
        return ApiKey.model_validate(key).spec.rotation

    monkeypatch.setattr(api_key, "_ROTATIONS", {})
    assert rotation("11d") is rotation("11d")
    monkeypatch.setattr(api_key, "_MOST_ROTATIONS", 1)
    assert rotation("12d") is not rotation("12d")
    assert rotation("12d") == rotation("12d")
