"""What to do: observed and desired state into actions. The planner is a pure function."""
