#!/bin/sh
# Makes the broker's password and access files from the environment; bands' accounts in them are kept.
#
#   accounts.sh                       the services' accounts, from STREAM_PASSWORD and SIMULATOR_PASSWORD
#   accounts.sh band <org>/<device>   one band's account; its password is read from standard input
#
# Passwords pass through files of mode 0600, never through arguments, which every process can read.
set -eu
umask 077
folder=${ACCOUNTS_DIR:-/mosquitto/accounts}
passwords=$folder/passwords

set_account() {
    name=$1 password=$2
    [ -n "$password" ] || { echo "accounts: the password of $name is empty: give one" >&2; exit 1; }
    printf '%s:%s\n' "$name" "$password" > "$folder/new"
    mosquitto_passwd -U "$folder/new"
    awk -F: -v name="$name" '$1 != name' "$passwords" > "$folder/kept"
    cat "$folder/kept" "$folder/new" > "$folder/all"
    mv "$folder/all" "$passwords"
    rm "$folder/new" "$folder/kept"
    echo "accounts: $name is set"
}

touch "$passwords"
if [ "${1:-}" = band ]; then
    band=${2:?which band? accounts.sh band <org>/<device>}
    case $band in
        *[!A-Za-z0-9._/-]* | */*/* | /* | */) echo "accounts: $band is no band: <org>/<device>" >&2; exit 1 ;;
        */*) ;;
        *) echo "accounts: $band is no band: <org>/<device>" >&2; exit 1 ;;
    esac
    IFS= read -r password || true
    set_account "$band" "$password"
else
    set_account shouhuan-stream "${STREAM_PASSWORD:?set SHOUHUAN_MQTT_PASSWORD in .env}"
    [ -z "${SIMULATOR_PASSWORD:-}" ] || set_account shouhuan-simulator "$SIMULATOR_PASSWORD"
fi
cp "${ACL_FILE:-/deploy/acl}" "$folder/acl"
# The broker gives up root before it reads them again at a hang-up signal.
[ "$(id -u)" != 0 ] || chown -R mosquitto:mosquitto "$folder"
