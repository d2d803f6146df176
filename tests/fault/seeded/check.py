#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds the bugs of defects.txt, one at a time, into a copy of the tree; each must turn a test red.

TEST_SEEDED: how many, or 'all' (3 when not set); less than all are spread over the list, from another place each day.
TEST_SEEDED_NAMED: those whose name matches. Prints a line `SEEDED | bug | program | what it says` for each, for the
report. A test that does not come to its end is red only for a bug that is marked with `hangs`: a machine that is busy
with something else shall not pass for a test that noticed something.
"""

import concurrent.futures
import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PATIENCE = 180  # seconds until a test has come to its end; with a bug in it twice as many
# What a program starts, and so needs built beside it.
HELPERS = {"tests/fault/hazards/fault-hazards": ["tests/fault/calls/fault-locker"]}


class Defect:
    def __init__(self, name):
        self.name = name
        self.edits = []  # (file, lines as they are, lines with the bug)
        self.tries = []
        self.hangs = False


def read_defects():
    defects = []
    for number, line in enumerate((HERE / "defects.txt").read_text().splitlines(), 1):
        word, _, rest = line.partition(" ")
        if not line or word == "#":
            continue
        if word == "==":
            defects.append(Defect(rest))
        elif word == "in":
            defects[-1].edits.append((rest, [], []))
        elif word == "-":
            defects[-1].edits[-1][1].append(rest)
        elif word == "+":
            defects[-1].edits[-1][2].append(rest)
        elif word == "try":
            defects[-1].tries.append(rest.split())
        elif line == "hangs":
            defects[-1].hangs = True
        else:
            sys.exit(f"defects.txt:{number}: unknown line: {line}")
    return defects


def seed(text, before, after):
    """The text with the bug, or None when the lines do not stand there exactly once."""
    pattern = r"\s*\n\s*".join(re.escape(line) for line in before)
    if len(re.findall(pattern, text)) != 1:
        return None
    return re.sub(pattern, lambda _: "\n".join(after), text)


def text_of_edits(tree, defect):
    """What the files of the tree look like with the bug: {path: text}."""
    texts = {}
    for name, before, after in defect.edits:
        path = tree / name
        text = seed(texts.get(path) or path.read_text(), before, after)
        if text is None:
            raise LookupError(f"'{defect.name}' does not apply any more: these lines do not stand exactly once in"
                              f" {name}:\n" + "\n".join(before))
        texts[path] = text
    return texts


class BuildFailed(Exception):
    """What the compiler said."""


def build(directory, targets):
    done = subprocess.run(["ninja", "-C", directory, *targets], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode != 0:
        raise BuildFailed(done.stdout[-4000:])


class TookTooLong(Exception):
    """The test did not come to its end."""


running = set()  # the tests that run


def clean_up(scratch):
    """Who ends this program by a signal leaves neither the copies nor a test behind."""
    for process in list(running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def run(directory, command, scratch, patience):
    """(red, what it said first)."""
    # The sizes of a long run are not for here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
    environment["TMPDIR"] = str(scratch)
    # The first case that is red is enough. Programs that have arguments here are not doctest's.
    enough = ["--abort-after=1"] if len(command) == 1 else []
    with tempfile.TemporaryFile("w+", errors="replace") as written:
        process = subprocess.Popen([directory / command[0], *command[1:], *enough], cwd=directory,
                                   stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,
                                   env=environment, start_new_session=True)
        running.add(process)
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            raise TookTooLong(f"{command[0]} had not come to its end after {patience:.0f} s") from None
        finally:
            # A test that ends in the middle leaves its peers behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            running.discard(process)
        written.seek(0)
        output = written.read()
    if process.returncode == 0:
        return False, ""
    case = re.search(r"^TEST CASE:\s+(.*)$|^(seed \d+: .*)$|^(FAIL.*)$", output, re.MULTILINE)
    if case:
        return True, next(group for group in case.groups() if group).strip()
    lines = [line for line in output.strip().splitlines() if not line.startswith("REPORT ")]
    return True, lines[0][:200] if lines else f"status {process.returncode}"


def chosen():
    defects = read_defects()
    named = os.environ.get("TEST_SEEDED_NAMED")
    if named:
        return [defect for defect in defects if re.search(named, defect.name)]
    number = os.environ.get("TEST_SEEDED", "3")
    if number == "all" or int(number) >= len(defects):
        return defects
    today = int(time.time() // 86400)
    return [defects[(today + place * len(defects) // int(number)) % len(defects)] for place in range(int(number))]


class Bench:
    """A copy of the tree with a build directory of its own."""

    def __init__(self, scratch):
        self.tree, self.directory, self.temporary = (Path(scratch) / name for name in ("tree", "build", "tmp"))
        self.temporary.mkdir(parents=True)
        self.green = set()
        shutil.copytree(ROOT, self.tree, ignore=lambda folder, names: [
            name for name in names if name == ".git" or (Path(folder) == ROOT and name.startswith("build"))])
        subprocess.run(["meson", "setup", self.directory, self.tree, "-Dtests=enabled", "-Dexamples=disabled",
                        "-Dbuildtype=plain", "-Dwerror=false"], check=True, stdout=subprocess.DEVNULL)

    def run(self, command, patience):
        build(self.directory, [command[0], *HELPERS.get(command[0], [])])
        return run(self.directory, command, self.temporary, patience)

    def expect_green(self, command):
        if tuple(command) in self.green:
            return
        try:
            red, said = self.run(command, PATIENCE)
        except BuildFailed as error:
            sys.exit(f"{command[0]} does not build without a bug:\n{error}")
        except TookTooLong as error:
            sys.exit(f"without a bug {error}")
        if red:
            sys.exit(f"{' '.join(command)} is red without a bug: {said}")
        self.green.add(tuple(command))

    def check(self, defect):
        """The line of the test that is red, or None."""
        texts = text_of_edits(self.tree, defect)
        originals = {path: path.read_text() for path in texts}
        for command in defect.tries:
            self.expect_green(command)
            try:
                for path, text in texts.items():
                    path.write_text(text)
                red, said = self.run(command, 2 * PATIENCE)
            except TookTooLong as error:
                red, said = defect.hangs, "it hangs"
                if not red:
                    print(f"{defect.name}: {error}; that counts only for a bug with the mark 'hangs'", flush=True)
            finally:
                for path, text in originals.items():
                    path.write_text(text)
            if red:
                return f"{' '.join(command)} | {said}"
        return None


def groups_of(defects):
    """Those that begin with the same test together, the largest group first."""
    groups = {}
    for defect in defects:
        groups.setdefault(defect.tries[0][0], []).append(defect)
    return sorted(groups.values(), key=len, reverse=True)


def work(scratch, groups):
    """Takes one group after the other until none is left; how many bugs were found."""
    bench = Bench(scratch)
    found = 0
    while True:
        try:
            defects = groups.get_nowait()
        except queue.Empty:
            return found
        for defect in defects:
            try:
                line = bench.check(defect)
            except BuildFailed as error:
                # The others are tried all the same: one look at the output shall do for every quote to be mended.
                print(f"SEEDED | {defect.name} | NOT BUILT | the compiler takes this bug for an error\n{error}",
                      flush=True)
                continue
            print(f"SEEDED | {defect.name} | {line or 'NOT FOUND | by none of its tests'}", flush=True)
            found += line is not None


def main():
    for tool in ("meson", "ninja"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            return 77
    # All of them are looked at, so that one that does not apply any more is found in the short form, too.
    stale = 0
    for defect in read_defects():
        try:
            text_of_edits(ROOT, defect)
        except LookupError as error:
            print(error)
            stale += 1
    if stale:
        return 1
    defects = chosen()
    groups = queue.Queue()
    for group in groups_of(defects):
        groups.put(group)
    # A second copy has to be built, too.
    benches = min(groups.qsize(), os.cpu_count() or 1, 1 + len(defects) // 10)
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(benches) as pool:
        signal.signal(signal.SIGTERM, lambda *_: clean_up(scratch))
        found = sum(pool.map(lambda number: work(Path(scratch) / str(number), groups), range(benches)))
    print(f"REPORT seeded defects | deliberate bugs in a copy of the tree, one at a time | "
          f"seeded={len(defects)}, found={found}")
    return 0 if found == len(defects) else 1


if __name__ == "__main__":
    sys.exit(main())
