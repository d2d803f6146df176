#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# events.sh PROGRAM: of three measurements one stops the line, and one is rolled back.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'

echo '$ events device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port" | tee "$work/said"
wait_for 'the message' arrived 1
cat "$work/arrived"
grep -q '^plant/boiler/stopped {"line":"boiler","celsius":104.5} ' "$work/arrived" || fail 'another payload'
grep -q 'event-name:line-stopped.*event-version:2.*traceparent:00-0af7651916cd43dd8448eb211c80319c-' "$work/arrived" ||
  fail 'headers are missing'
grep -q '^rolled back: a broken sensor$' "$work/said" || fail 'nothing was rolled back'
grep -q '^1 message, 1 delivered$' "$work/said" || fail 'another number of messages'
