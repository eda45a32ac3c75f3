"""Device bytes become vetted columns, durable before they are acknowledged; what cannot be taken is a dead letter."""
