"""The only SQL: schema and migrations, the COPY writer, the journal, registry, alerts, LISTEN/NOTIFY."""
