"""How fast a run is, phase by phase, beside the budgets of the design. `make bench` runs it; README.md here explains it."""
