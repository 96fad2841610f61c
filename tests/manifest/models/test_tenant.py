from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.manifest.models.tenant import RateSpec


def test_a_rate_is_counted_in_some_time() -> None:
    """So many calls in no time at all are no rate."""
    with pytest.raises(ValidationError, match="has a per of no length"):
        RateSpec.model_validate({"calls": 5, "per": "0s"})
    assert RateSpec.model_validate({"calls": 5, "per": "1s"}).calls == 5
