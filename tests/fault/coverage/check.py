#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: check.py BUILD_DIRECTORY

Reads what the tests of a build with -Db_coverage=true have run through in lib/store and lib/relay. Every place that
none of them ran through has to be in uncovered.txt, with the reason: `file | code | reason`, the code as it stands in
the line, without the blanks around it, `*` for anything. A place is a line with a branch that was not taken, and what
follows it in the same function without having run. Left out are the edges that exceptions take, and those that the compiler makes in lines without a
condition. Ends with an error for a place that is not in the list; prints what is in the list and covered by now.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ROOMS = ("lib/store", "lib/relay")
CONDITION = re.compile(r"\b(if|for|while|switch|case)\b|\?|&&|\|\|")


def read_list():
    reasons = {}
    for line in (HERE / "uncovered.txt").read_text().splitlines():
        if not line or line.startswith("# "):
            continue
        file, code, reason = (part.strip() for part in (line.split(" | ", 1)[0], *line.split(" | ", 1)[1].rsplit(" | ", 1)))
        reasons[(file, code)] = reason
    return reasons


def pattern(place):
    return re.compile(" \\| ".join(re.escape(part).replace(r"\*", ".*") for part in place))


def measure(directory):
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "coverage.json"
        subprocess.run(["gcovr", "-j", str(os.cpu_count()), "--root", ROOT,
                        *(word for room in ROOMS for word in ("--filter", f"{room}/")),
                        "--exclude-unreachable-branches", "--json", answer, directory],
                       check=True, stdout=subprocess.DEVNULL)
        return json.loads(answer.read_text())["files"]


def real_branches(branches):
    """Those of conditions. A call that may throw has a pair of its own: on as usual, or to where the exception goes."""
    real = []
    while branches:
        pair = branches[:2]
        if len(pair) == 2 and sum(branch["fallthrough"] for branch in pair) == 1:
            real += [] if any(branch["throw"] for branch in pair) else pair
            branches = branches[2:]
        else:
            real += branches[:1]
            branches = branches[1:]
    return real


class Count:
    def __init__(self):
        self.lines = self.lines_run = self.branches = self.branches_taken = 0

    def text(self, room):
        return (f"{room} lines={100 * self.lines_run / self.lines:.1f} % of {self.lines}, "
                f"{room} branches={100 * self.branches_taken / self.branches:.1f} % of {self.branches}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("gcovr") is None:
        print("gcovr is not installed")
        return 77
    reasons = read_list()
    counts = {room: Count() for room in ROOMS}
    missing = {}
    for file in measure(sys.argv[1]):
        name = file["file"]
        count = counts[next(room for room in ROOMS if name.startswith(room))]
        text = (ROOT / name).read_text().splitlines()
        place = None
        for line in file["lines"]:
            if line.get("gcovr/noncode"):
                continue
            code = text[line["line_number"] - 1].strip()
            branches = real_branches(line["branches"])
            if not CONDITION.search(code) or code.startswith("} catch"):
                branches = []
            taken = sum(branch["count"] > 0 for branch in branches)
            count.lines += 1
            count.lines_run += line["count"] > 0
            count.branches += len(branches)
            count.branches_taken += taken
            if line["count"] > 0 and taken == len(branches):
                place = None
            elif place is None or line["count"] > 0 or not text[line["line_number"] - 1].startswith(" "):
                place = (name, code)
                missing.setdefault(place, []).append(
                    (line["line_number"], f"{taken} of {len(branches)} branches" if line["count"] else "never run"))
    patterns = {place: pattern(place) for place in reasons}
    listed = {place: [key for key in missing if patterns[place].fullmatch(" | ".join(key))] for place in reasons}
    known = {key for keys in listed.values() for key in keys}
    unlisted = [key for key in missing if key not in known]
    for name, code in unlisted:
        for number, what in missing[(name, code)]:
            print(f"not covered and not listed: {name}:{number}: {code}   ({what})")
    for (name, code), keys in listed.items():
        if not keys:
            print(f"listed, but covered or gone: {name} | {code}")
    print(f"REPORT coverage | unit, simulation and fault tests, without the edges of exceptions | "
          f"{', '.join(count.text(room) for room, count in counts.items())}, "
          f"places listed with a reason={len(missing) - len(unlisted)}, not listed={len(unlisted)}")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
