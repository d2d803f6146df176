#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# direct_bus.sh PROGRAM: the same messages arrive by way of the outbox and straight; without a broker only the
# direct way fails.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'
url=mqtt://127.0.0.1:$port

lines() { [[ $(wc -l <"$work/arrived") -eq $1 ]]; }

echo '$ direct_bus outbox device.db '"$url"
"$program" outbox "$work/device.db" "$url"
wait_for 'the messages of the outbox' lines 3
echo '$ direct_bus direct device.db '"$url"
"$program" direct "$work/device.db" "$url"
wait_for 'the direct messages' lines 6
cut -d ' ' -f 1,2 "$work/arrived"
cmp <(head -n 3 "$work/arrived" | cut -d ' ' -f 1,2) <(tail -n 3 "$work/arrived" | cut -d ' ' -f 1,2) ||
  fail 'the two ways differ'

stop_broker
if "$program" direct "$work/device.db" "$url" 2>"$work/said"; then fail 'a direct delivery without a broker'; fi
cat "$work/said"
