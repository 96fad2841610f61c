"""Telling others: GitHub's issues and comments, and webhooks. Nothing else of ours speaks to them."""
