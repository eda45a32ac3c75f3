-- An incident of a place belongs to no wearer (wearer_no 0): one may be open for each org, not one for all.
DROP INDEX incident_one_open;
CREATE UNIQUE INDEX incident_one_open ON incident (wearer_no, (CASE WHEN wearer_no = 0 THEN org ELSE '' END), cause)
    WHERE state <> 'closed';
