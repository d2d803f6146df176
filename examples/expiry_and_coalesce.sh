#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# expiry_and_coalesce.sh PROGRAM: of seventy states the last one arrives, the horn does not, the reminder comes last.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'
echo '$ expiry_and_coalesce device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port" | tee "$work/output"
wait_for 'the messages' arrived 2

echo 'the subscriber saw (topic, payload, user properties):'
cat "$work/arrived"
awk '!seen[$2]++ { print $1, $2 }' "$work/arrived" >"$work/seen"
printf '%s\n' 'plant/boiler/state 90' 'plant/boiler/reminder look-again' | cmp - "$work/seen" || fail 'something else arrived'
grep -qx '69 of plant/boiler/state coalesced' "$work/output" || fail 'the states that were replaced are not counted'
grep -qx '1 of plant/boiler/horn expired' "$work/output" || fail 'the horn is not counted'
