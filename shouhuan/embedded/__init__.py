"""Services for a machine that has none: PostgreSQL and an MQTT broker from Python wheels; for demos, not production."""
