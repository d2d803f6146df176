#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# quota.sh PROGRAM: no more than the quota waits, the alarm and the readings are all there, the losses are announced.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'
echo '$ quota device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port" | tee "$work/output"

count() { awk -v topic="plant/boiler/$1" '$1 == topic && !seen[$2]++ { ++n } END { print n + 0 }' "$work/arrived"; }
has() { [[ $(count "$1") -ge $2 ]]; }
wait_for 'the alarm' has alarm 1
wait_for 'the readings' has temperature 80
wait_for 'an announcement' has lost 1
echo "arrived: $(count alarm) alarm, $(count temperature) readings, $(count log) lines of the log, $(count lost) announcements; one of them:"
grep -m 1 '^plant/boiler/lost ' "$work/arrived"
waiting=$(sed -n 's/^\([0-9]*\) wait$/\1/p' "$work/output")
[[ $waiting -le 100 ]] || fail "$waiting messages were kept"
grep -q 'nothing of this transaction is kept' "$work/output" || fail 'nothing was rejected'
[[ $(count log) -le 60 ]] || fail 'bulk had more than its share'
