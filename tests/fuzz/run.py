#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: run.py PROGRAM RUNS LONGEST FOUND CORPUS

Runs a target of libFuzzer, from its corpus on: RUNS inputs of up to LONGEST bytes. TEST_FUZZ: so many times as many
(1 when not set). What it finds goes into FOUND, in the build directory: nobody else is to test with it unseen. Prints a
line of the report.
"""

import os
import re
import subprocess
import sys
from pathlib import Path


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    program, runs, longest, found, corpus = sys.argv[1:]
    Path(found).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [program, "-seed=1", f"-runs={int(runs) * int(os.environ.get('TEST_FUZZ', '1'))}", f"-max_len={longest}",
         "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={found}/", found, corpus],
        stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, errors="replace")
    print(done.stdout)
    if done.returncode != 0:
        return 1  # libFuzzer's own 77 would count as skipped
    executions = re.search(r"^stat::number_of_executed_units: +(\d+)$", done.stdout, re.MULTILINE)
    if executions is None:
        sys.exit("libFuzzer has not said how often it ran the target")
    inputs = sum(len(list(Path(folder).iterdir())) for folder in (corpus, found))
    name = Path(corpus).name.replace("_", " ")
    print(f"REPORT fuzzing | {name} | executions={executions[1]}, inputs kept={inputs}, crashes=0")
    return 0


if __name__ == "__main__":
    sys.exit(main())
