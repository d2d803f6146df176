#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# routes.sh PROGRAM: two routes lead to the broker, one is paused for a while and one leads to where nobody listens.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe '#'
echo '$ routes device.db mqtt://127.0.0.1:'"$port mqtt://127.0.0.1:$port mqtt://127.0.0.1:1"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port" "mqtt://127.0.0.1:$port" mqtt://127.0.0.1:1
wait_for 'the messages of two routes' arrived 400

# Those of the modem carry the numbers 1 to 200, those of the site none.
grep '^fleet/' "$work/arrived" | sed 's/.*satchel-sequence:\([0-9]*\).*/\1/' | sort -nu | cmp - <(seq 200) ||
  fail 'the numbers of the modem have a gap'
if grep '^plant/' "$work/arrived" | grep -q satchel-sequence; then fail 'the site got numbers'; fi
if grep -q '^billing' "$work/arrived"; then fail 'a message took the wrong route'; fi
echo 'the subscriber saw (topic, payload, user properties):'
grep -m 1 '^plant/' "$work/arrived"
grep -m 1 '^fleet/' "$work/arrived"
