#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# own_connection.sh PROGRAM: rows and messages of an application's own connection, with a savepoint rolled back.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe '#'

echo '$ own_connection device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
# Two readings, and an alarm for the oven only.
wait_for 'the messages' arrived 3
cut -d ' ' -f 1,2 "$work/arrived"
grep -q '^alarm/oven hot' "$work/arrived" || fail 'no alarm for the oven'
if grep -q '^alarm/boiler' "$work/arrived"; then fail 'an alarm that was rolled back'; fi
