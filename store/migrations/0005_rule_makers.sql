-- Watching and ruling are two things: nobody who had an account before may change rules until somebody says so.
ALTER TABLE operator ADD COLUMN changes_rules boolean NOT NULL DEFAULT false;
