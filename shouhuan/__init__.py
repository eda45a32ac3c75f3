"""The composition root: command line, settings, clock, embedded services, and the wiring of processes."""
