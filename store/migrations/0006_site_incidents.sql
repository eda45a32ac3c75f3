-- An incident of a site is nobody's (wearer_no 0): one is open for each org and cause, where people have one for each
-- person and cause. A worker of an earlier version cannot open incidents from here on: stop it before migrating.

DROP INDEX incident_one_open;
CREATE UNIQUE INDEX incident_one_open ON incident (wearer_no, cause, (CASE WHEN wearer_no = 0 THEN org ELSE '' END))
    WHERE state <> 'closed';

-- Numbers come from sequences that begin at 1; these see to it that nobody ever is nobody.
ALTER TABLE wearer ADD CONSTRAINT wearer_is_somebody CHECK (wearer_no > 0);
ALTER TABLE device ADD CONSTRAINT device_is_something CHECK (device_no > 0);
