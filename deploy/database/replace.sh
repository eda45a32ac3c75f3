#!/bin/sh
# Let a restored database take another's place: replace.sh DATABASE RESTORED. What was there is kept, closed to all, as
# DATABASE_replaced. TimescaleDB's scheduler connects to every database, so both are closed before they are renamed.
set -eu
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}"
database=${1:?name the database to replace} restored=${2:?name the restored one}

run() { psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres --output=/dev/null --command="$1"; }

for name in "$database" "$restored"; do
    run "ALTER DATABASE \"$name\" ALLOW_CONNECTIONS false"
    run "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$name'"
done
run "ALTER DATABASE \"$database\" RENAME TO \"${database}_replaced\""
run "ALTER DATABASE \"$restored\" RENAME TO \"$database\""
run "ALTER DATABASE \"$database\" ALLOW_CONNECTIONS true"
