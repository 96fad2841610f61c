"""Trend Micro Deep Security, Workload Security, and Server & Workload Protection (API family A)."""
