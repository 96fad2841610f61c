"""Doing it: issuance, ordering, leases."""
