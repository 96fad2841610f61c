"""What may not be done: guardrails."""
