#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lost_message.sh PROGRAM: the program checks its own outcome.
set -euo pipefail
program=$1
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

echo '$ lost_message DIRECTORY'
"$program" "$work"
