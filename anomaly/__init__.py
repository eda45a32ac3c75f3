"""Detectors: frozen rules plus pure steps over tables of arrays, one kind a file."""
