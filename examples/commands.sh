#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# commands.sh PROGRAM: the other valve goes on at once, the blocked one in order after the replay.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

echo '$ commands DIRECTORY'
"$program" "$work" | tee "$work/said"
[[ $(grep '^valve/' "$work/said" | tr '\n' ';') == 'valve/2: open;valve/1: open;valve/1: close;' ]] || fail 'the order is another'
grep -q '^after 3 attempts: valve 1 is stuck, so valve-1 waits$' "$work/said" || fail 'the dead letter does not say why'
