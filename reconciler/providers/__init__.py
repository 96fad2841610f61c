"""One package per vendor product. `registry` finds them, `base` says what they are."""
