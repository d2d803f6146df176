#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# c_firmware.sh PROGRAM: a program in C stores ten readings and their messages arrive.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe 'plant/#'

echo '$ c_firmware device.db mqtt://127.0.0.1:'"$port"
"$program" "$work/device.db" "mqtt://127.0.0.1:$port"
wait_for 'the messages' arrived 10
