#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# async.sh PROGRAM: messages of four threads, a coroutine and a callback, committed together and delivered.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'

echo '$ async device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
wait_for 'the messages' arrived 402
