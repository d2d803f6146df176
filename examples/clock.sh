#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# clock.sh PROGRAM: what was sent before the time was known has no date, what was stored before that has the right one.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'device/#'
echo '$ clock device.db mqtt://127.0.0.1:'"$port"
begin=$(date -u +%FT%T)
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
end=$(date -u +%FT%T)
wait_for 'the messages' grep -q -F " 71.6 " "$work/arrived"
arrived 3 || fail 'three messages were sent'

echo 'the subscriber saw (topic, payload, user properties):'
cat "$work/arrived"
grep '^device/boot' "$work/arrived" | grep -q satchel-created && fail 'a date that nobody knew'
for reading in 71.5 71.6; do
  date=$(grep -m 1 -F " $reading " "$work/arrived" | grep -o 'satchel-created:[^ ]*' | cut -d: -f2-)
  [[ ! $date < $begin && ! ${date:0:19} > $end ]] || fail "reading $reading is of $begin to $end, not of '$date'"
done
