"""Measures speed beside the machine's own limits and beside peers; `scripts/bench` runs it."""
