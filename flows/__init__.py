"""Bytewax wiring and its seams: sources and sinks meet the judge here; no decisions."""
