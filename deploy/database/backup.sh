#!/bin/sh
# Write a database to standard output as of this moment, while everything goes on: backup.sh [DATABASE] > FILE
# Where it is comes from PGHOST, PGPORT, PGUSER; within the database's container nothing needs to be set.
set -eu
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}"
exec pg_dump --format=custom --dbname="${1:-shouhuan}"
