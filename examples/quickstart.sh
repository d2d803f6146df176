#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# quickstart.sh PROGRAM: with a broker, a row and its message; without one, the message waits for the next run.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'

echo '$ quickstart device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
wait_for 'the message' arrived 1

echo 'the subscriber saw (topic, payload, user properties):'
cat "$work/arrived"
