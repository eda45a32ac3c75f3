-- What each process may do, and nothing else; run as often as you like, by the owner of the schema.
-- Group roles: a login is made a member (CREATE ROLE stream1 LOGIN PASSWORD … IN ROLE shouhuan_stream).
-- They belong to the whole server, the grants to this database.

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM shouhuan_stream, shouhuan_console, shouhuan_oncall, shouhuan_registry;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM shouhuan_stream, shouhuan_console, shouhuan_oncall, shouhuan_registry;
GRANT USAGE ON SCHEMA public TO shouhuan_stream, shouhuan_console, shouhuan_oncall, shouhuan_registry;
GRANT SELECT ON schema_migration TO shouhuan_stream, shouhuan_console, shouhuan_oncall, shouhuan_registry;

-- The worker knows people by number: no names, no papers of theirs, no addresses of who is paged.
GRANT SELECT ON org, device, assignment, calendar, schedule, zone, grade_plan, alert_rule TO shouhuan_stream;
GRANT SELECT (id, wearer_no, org, grade, minor, version, validity, recorded) ON wearer TO shouhuan_stream;
GRANT SELECT (id, wearer, ground, version, validity, recorded) ON supervision_order TO shouhuan_stream;
GRANT SELECT (wearer, scope, version, validity, recorded) ON consent TO shouhuan_stream;
GRANT SELECT (id, wearer, recorded_at, places, permit, version, validity, recorded) ON leave TO shouhuan_stream;
GRANT SELECT (id, org, language, min_priority, version, validity, recorded) ON contact TO shouhuan_stream;
GRANT SELECT, INSERT ON position, vitals, device_status, device_firmware, journal, alert_event TO shouhuan_stream;
GRANT SELECT, INSERT, UPDATE (payload) ON dead_letter TO shouhuan_stream;
GRANT SELECT, UPDATE ON dead_letter_replay TO shouhuan_stream;
GRANT SELECT, INSERT, UPDATE ON journal_head, incident, alert, command, ack_drop TO shouhuan_stream;
GRANT SELECT (page_no, incident_id, contact), INSERT ON page TO shouhuan_stream;

-- The command centre shows everything of a person but the body's series, and draws zones.
GRANT SELECT ON org, wearer, device, assignment, supervision_order, consent, calendar, schedule, zone, leave, contact,
    grade_plan, alert_rule TO shouhuan_console;
GRANT INSERT, UPDATE (recorded) ON zone TO shouhuan_console;
GRANT USAGE ON SEQUENCE registry_version TO shouhuan_console;
GRANT SELECT ON position, device_status, operator TO shouhuan_console;
GRANT SELECT, UPDATE ON incident, alert TO shouhuan_console;
GRANT INSERT ON alert_event TO shouhuan_console;
GRANT SELECT, INSERT ON audit TO shouhuan_console;

-- On-call reads what a page says, which is no name and no position, and where it goes.
GRANT SELECT (id, wearer_no, validity, recorded) ON wearer TO shouhuan_oncall;
GRANT SELECT ON org, contact TO shouhuan_oncall;
GRANT SELECT ON incident TO shouhuan_oncall;
GRANT SELECT (incident_id, code, priority, state, opened_at) ON alert TO shouhuan_oncall;
GRANT SELECT, UPDATE ON page TO shouhuan_oncall;
GRANT SELECT, INSERT, UPDATE ON delivery_attempt TO shouhuan_oncall;

-- The only role that writes who is whom: imports, and accounts of the console.
GRANT SELECT, INSERT, UPDATE ON org, wearer, device, assignment, supervision_order, consent, calendar, schedule, zone,
    leave, contact, grade_plan, alert_rule, operator TO shouhuan_registry;
GRANT USAGE ON SEQUENCE registry_version, device_number, wearer_number TO shouhuan_registry;
-- Whoever mends the registry has what was refused because of it judged again.
GRANT SELECT ON dead_letter, dead_letter_replay TO shouhuan_registry;
GRANT INSERT ON dead_letter_replay, audit TO shouhuan_registry;
