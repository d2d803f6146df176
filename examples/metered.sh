#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# metered.sh PROGRAM: in quiet hours the alarm alone arrives; then the newest readings, as many as the budget has room for, and
# another alarm from the reserve.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'
echo '$ metered device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
# The first alarm and nine readings of 27 bytes use up what is not the reserve.
wait_for 'all messages' arrived 11

expected="overheated"
for number in 39 38 37 36 35 34 33 32 31; do expected+=" reading-$number"; done
expected+=" overheated-again"
found=$(awk '!seen[$2]++ { printf "%s%s", separator, $2; separator = " " }' "$work/arrived")
echo "arrived: $found"
[[ $found == "$expected" ]] || fail 'something else was expected'
