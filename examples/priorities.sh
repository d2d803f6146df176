#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# priorities.sh PROGRAM: the alarms arrive before the backlog that they were enqueued behind, bulk data among the rest.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'
echo '$ priorities device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
wait_for 'all messages' arrived 702

# place PATTERN: at which place the first message arrived that has it.
place() { awk -v wanted="$1" '!seen[$2]++ { ++count } $2 == wanted { print count; exit }' "$work/arrived"; }
first=$(place overheated)
second=$(place overheated-again)
log=$(awk '!seen[$2]++ { ++count } $1 ~ /log$/ && count <= 600 { ++logs } END { print logs + 0 }' "$work/arrived")
echo "the first alarm came as number $first, the second as number $second; $log lines of the log came among the first 600"
[[ $first -le 20 ]] || fail 'the first alarm was late'
[[ $second -le 500 ]] || fail 'the second alarm was late'
[[ $log -ge 20 && $log -lt 100 ]] || fail 'bulk had not its share'
