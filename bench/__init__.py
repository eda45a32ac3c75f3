"""Benchmarks: one question a file; ``python -m bench`` asks them all. Results belong into docs/benchmarks.md."""
