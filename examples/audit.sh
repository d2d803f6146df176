#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# audit.sh PROGRAM: what arrived and what was announced are all there is; a message that is taken away is missed.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

start_broker
subscribe '#'
echo '$ audit device device.db mqtt://127.0.0.1:'"$port"
"$program" device "$work/device.db" "mqtt://127.0.0.1:$port"
has_last() { grep -q '^plant/boiler/temperature 80 ' "$work/arrived"; }
wait_for 'the last reading' has_last
# Announcements may come behind it.
complete() { "$program" receive <"$work/arrived" | grep -qx 'nothing is missing'; }
wait_for 'the rest' complete

echo '$ audit receive <arrived'
"$program" receive <"$work/arrived" | tee "$work/output"
grep -q ' 0 dropped' "$work/output" && fail 'nothing was dropped'

echo '$ audit receive <arrived, without reading 77 and with reading 78 twice'
sed -e '/^plant[^ ]* 77 /d' -e '/^plant[^ ]* 78 /p' "$work/arrived" >"$work/changed"
"$program" receive <"$work/changed" | tee "$work/output"
[[ $(grep -c '^missing' "$work/output") -eq 1 ]] || fail 'the missing message was not missed'
grep -q ' 1 copies,' "$work/output" || fail 'the copy was not noticed'
