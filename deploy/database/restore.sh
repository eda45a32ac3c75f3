#!/bin/sh
# Make a NEW database of a backup: restore.sh DATABASE < FILE. An existing one is never touched.
# The server needs the TimescaleDB version that the backup was made with; upgrade afterwards.
set -eu
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}"
database=${1:?name the new database}

run() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$database" --command="$1"; }

createdb --template=template0 "$database"
timescale=$(run "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'")
if [ "$timescale" = 1 ]; then
    run "CREATE EXTENSION timescaledb"
    run "SELECT timescaledb_pre_restore()" >/dev/null
fi
pg_restore --exit-on-error --no-owner --dbname="$database"
if [ "$timescale" = 1 ]; then
    run "SELECT timescaledb_post_restore()" >/dev/null
fi
run "ANALYZE"
