#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# firmware.sh PROGRAM: the device samples, the broker goes away for a while and comes back, nothing is missing.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
readonly samples=100

log=$work/firmware.log
status() { tail -n 20 "$log" | grep '^status:' | tail -n 1 | grep -q -E "$1"; }

start_broker
subscribe 'plant/#'

echo '$ firmware device.db mqtt://127.0.0.1:'"$port 50 $samples &"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port" 50 "$samples" >"$log" 2>&1 &
firmware=$!
processes+=("$firmware")
wait_for 'deliveries' status ' [1-9][0-9]* delivered'

stop_broker
echo 'the broker is stopped; the device goes on:'
wait_for 'a backlog' status ' [1-9][0-9]+ pending'
start_broker
echo 'the broker is back; the backlog drains:'
wait_for 'the backlog to drain' status " $samples rows.* 0 pending, 0 dead"
kill -TERM "$firmware"
wait "$firmware" || fail "firmware ended with status $?"
wait_for 'all messages at the subscriber' arrived "$samples"

cat "$log"

rows="SELECT printf('{\"reading\":%d,\"celsius\":%f}', id, celsius) FROM reading ORDER BY id"
sqlite3 -readonly "$work/device.db" "$rows" >"$work/rows"
echo "the device has $(wc -l <"$work/rows") rows; the first and the last:"
sed -n '1p;$p' "$work/rows"
echo "the subscriber saw (topic, payload, user properties) for the same:"
sed -n '1p;$p' "$work/arrived"
# A message for every row and a row for every message. Copies may only repeat what was under way when the broker went. One
# key, so the messages come in the order of the commits.
awk '!seen[$2]++ { print $2 }' "$work/arrived" | cmp - "$work/rows" || fail 'rows and messages are not the same'
