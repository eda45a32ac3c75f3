"""The command centre: an HTTP API, a live feed, and the page in ``web``."""
