"""Shapes and distances: zones, hours, presence with hysteresis, datum conversion; pure."""
