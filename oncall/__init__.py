"""From an incident to a person: takes pages from the outbox and sends them through any channel."""
