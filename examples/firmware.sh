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
echo "the subscriber saw $samples messages; the first and the last:"
sed -n '1p;$p' "$work/arrived"
# One key, so in the order of the commits. Copies may only repeat what was under way when the broker went.
grep -o '"reading":[0-9]*' "$work/arrived" | awk -F: '!seen[$2]++ { print $2 }' >"$work/order"
sort -n "$work/order" | cmp - "$work/order" || fail 'the order within the key is broken'
