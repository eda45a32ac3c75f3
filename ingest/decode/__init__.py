"""Decoders: one payload format a file; each turns bytes into an ``Uplink`` or says why not, and never raises."""
