"""What becomes of a verdict: alerts, incidents, and what people may do with them; pure."""
