"""What crosses a boundary: wire messages, columnar readings, registry objects, alerts, topics."""
