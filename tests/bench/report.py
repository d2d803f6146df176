#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs benchmark programs, and makes one table, a JSON file and a plot for each topic of what they print.

usage: report.py [--quick] [--repetitions N] [--only TEXT] [--output DIRECTORY] [--sizes BUILD_DIRECTORY] PROGRAM...

A program prints one JSON object a line: a sample (topic, row, variant, figures) or a budget (tests/bench/figures.hpp).
The exit status is 0 when all programs ran to their end; a budget that is missed is said, and is no failure.
"""
import argparse
import collections
import html
import json
import math
import os
import pathlib
import platform
import subprocess
import sys

# The figures that have a column of their own; everything else is listed by name.
COLUMNS = {"cpu_us": "CPU µs each", "instructions": "instructions each", "bytes": "bytes each", "syncs": "fsyncs each"}
UNITS = {"rate": "/s", "cpu_us": "µs CPU"}


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def number(value):
    """Three digits that count, and no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 4)}f}"


def spread(values):
    if len(values) == 1 or min(values) == max(values):
        return number(median(values))
    return f"{number(median(values))} [{number(min(values))}–{number(max(values))}]"


def unit(figure):
    if figure in UNITS:
        return UNITS[figure]
    for ending, name in (("_us", " µs"), ("_ms", " ms"), ("_KiB", " KiB")):
        if figure.endswith(ending):
            return name
    return ""


class Results:
    """What was measured: topic, row, variant, figure -> values in the order of the repetitions."""

    def __init__(self):
        self.samples = collections.OrderedDict()
        self.budgets = []
        self.failures = []

    def take(self, line):
        found = json.loads(line)
        if "budget" in found:
            self.budgets.append((found["topic"], found["row"], found["budget"]))
            return
        figures = (
            self.samples.setdefault(found["topic"], collections.OrderedDict())
            .setdefault(found["row"], collections.OrderedDict())
            .setdefault(found["variant"], collections.OrderedDict())
        )
        for name, value in found["figures"].items():
            figures.setdefault(name, []).append(value)

    def run(self, command):
        name = pathlib.Path(command[0]).name
        print(f"== {name}", file=sys.stderr, flush=True)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith("{"):
                    self.take(line)
        if process.returncode != 0:
            self.failures.append(name)

    def verdict(self, topic, row, budget):
        """Says whether a budget is kept: (text, kept)."""
        variants = self.samples.get(topic, {}).get(row, {})
        values = variants.get(budget["variant"], {}).get(budget["figure"])
        if not values:
            return None
        if budget["against"]:
            base = variants.get(budget["against"], {}).get(budget["figure"])
            if not base:
                return None
            values = [value / other for value, other in zip(values, base)]
        value = median(values)
        kept, limit = True, []
        if budget["at_least"]:
            kept = kept and value >= budget["at_least"]
            limit.append(f"≥ {number(budget['at_least'])}")
        if budget["at_most"]:
            kept = kept and value <= budget["at_most"]
            limit.append(f"≤ {number(budget['at_most'])}")
        what = budget["figure"] + (f" / {budget['against']}" if budget["against"] else "")
        return f"{what} {number(value)} ({', '.join(limit)}): {'kept' if kept else '**missed**'}", kept

    def table(self):
        lines = [
            "| topic | what | who | found | against the first | " + " | ".join(COLUMNS.values()) + " | besides | budget |",
            "|" + "---|" * (7 + len(COLUMNS)),
        ]
        for topic, rows in self.samples.items():
            for row, variants in rows.items():
                lines += [self.line(topic, row, variant) for variant in variants]
        return "\n".join(lines)

    def line(self, topic, row, variant):
        variants = self.samples[topic][row]
        figures = dict(variants[variant])
        main = next(iter(figures))
        first = next(iter(variants))
        against = ""
        if variant != first and main in variants[first]:
            pairs = zip(figures[main], variants[first][main])
            ratios = [value / base for value, base in pairs if base]
            against = spread(ratios) if ratios else ""
        found = spread(figures[main]) + unit(main) + (f" {main}" if not unit(main) else "")
        columns = [spread(figures[name]) if name in figures and name != main else "" for name in COLUMNS]
        besides = "; ".join(
            f"{name} {spread(values)}" for name, values in figures.items() if name != main and name not in COLUMNS
        )
        verdicts = [self.verdict(topic, row, b) for t, r, b in self.budgets if (t, r, b["variant"]) == (topic, row, variant)]
        budget = "; ".join(verdict[0] for verdict in verdicts if verdict)
        return f"| {topic} | {row} | {variant} | {found} | {against} | " + " | ".join(columns) + f" | {besides} | {budget} |"

    def summary(self):
        verdicts = [self.verdict(*budget) for budget in self.budgets]
        verdicts = [verdict for verdict in verdicts if verdict]
        missed = sum(1 for _, kept in verdicts if not kept)
        return f"{len(verdicts) - missed} budgets kept, {missed} missed"

    def as_json(self):
        return {
            "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()},
            "samples": self.samples,
            "budgets": [
                {"topic": topic, "row": row, **budget, "verdict": (self.verdict(topic, row, budget) or ("not measured",))[0]}
                for topic, row, budget in self.budgets
            ],
        }


class Plot:
    """Bars of medians with their ranges, on a logarithmic scale, as SVG."""

    COLOURS = ["#7a8b99", "#1f6f8b", "#d17a22", "#5b8c5a", "#8c5b7a", "#b0a23d"]
    LEFT, BAR, GAP, WIDTH = 430, 14, 12, 460

    def __init__(self, topic, rows):
        self.topic = topic
        self.rows = [
            (row, [(variant, *self.range_of(figures)) for variant, figures in variants.items()])
            for row, variants in rows.items()
        ]
        positive = [value for _, bars in self.rows for _, _, low, _, high in bars for value in (low, high) if value > 0]
        self.low = math.floor(math.log10(min(positive))) if positive else 0
        self.high = max(math.ceil(math.log10(max(positive))) if positive else 1, self.low + 1)

    @staticmethod
    def range_of(figures):
        main, values = next(iter(figures.items()))
        return main, min(values), median(values), max(values)

    def x(self, value):
        place = math.log10(value) if value > 0 else self.low
        return self.LEFT + self.WIDTH * (place - self.low) / (self.high - self.low)

    def svg(self):
        parts, y = [], 50
        for row, bars in self.rows:
            parts.append(self.text(12, y + self.BAR - 3, row, weight="bold"))
            y += self.BAR + 4
            for index, (variant, main, low, middle, high) in enumerate(bars):
                colour = self.COLOURS[index % len(self.COLOURS)]
                centre = y + self.BAR / 2
                parts.append(self.text(self.LEFT - 8, y + self.BAR - 3, f"{variant}, {main}", anchor="end"))
                parts.append(
                    f'<rect x="{self.LEFT}" y="{y}" width="{max(self.x(middle) - self.LEFT, 1):.1f}" '
                    f'height="{self.BAR - 2}" fill="{colour}"/>'
                )
                parts.append(
                    f'<path d="M{self.x(low):.1f} {centre} H{self.x(high):.1f}" stroke="#222" stroke-width="1.5"/>'
                )
                parts.append(self.text(max(self.x(middle), self.x(high)) + 6, y + self.BAR - 3, number(middle)))
                y += self.BAR
            y += self.GAP
        lines = []
        for power in range(self.low, self.high + 1):
            x = self.x(10**power)
            lines.append(f'<path d="M{x:.1f} 42 V{y}" stroke="#ddd"/>')
            lines.append(self.text(x, 38, number(10.0**power), anchor="middle"))
        title = self.text(12, 20, f"{self.topic}: medians, and the ranges of the repetitions", weight="bold", size=15)
        size = f'width="{self.LEFT + self.WIDTH + 90}" height="{y + 10}"'
        background = '<rect width="100%" height="100%" fill="white"/>'
        body = "\n".join([background, title, *lines, *parts])
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">\n{body}\n</svg>\n'

    @staticmethod
    def text(x, y, words, anchor="start", weight="normal", size=11):
        return (
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{html.escape(words)}</text>'
        )


def code_and_data(path):
    """KiB of an object, an archive's together, without what only a debugger reads."""
    listed = subprocess.run(["size", "-t", path], capture_output=True, text=True, check=True).stdout
    code, data = listed.splitlines()[-1].split()[:2]
    return (int(code) + int(data)) / 1024


def component_sizes(results, directory, scratch):
    """Each component by itself, with what the compiler put into several; and core and MQTT sink linked and stripped."""
    libraries = {
        path.stem.removeprefix("libsatchel-"): path for path in pathlib.Path(directory, "lib").rglob("libsatchel-*.a")
    }
    for name, path in sorted(libraries.items()):
        sample = {"topic": "footprint", "row": "code and data by component", "variant": name}
        results.take(json.dumps({**sample, "figures": {"size_KiB": code_and_data(path)}}))
    parts = ("base", "store", "relay", "verdicts", "outlet", "mqtt", "outbox")
    if "mqtt" not in libraries:
        return
    linked = pathlib.Path(scratch, "core-and-mqtt.so")
    whole = ["-Wl,--whole-archive", *(str(libraries[part]) for part in parts), "-Wl,--no-whole-archive"]
    subprocess.run(["c++", "-shared", "-s", "-Wl,--gc-sections", "-o", linked, *whole], check=True)
    row = "code and data of the core and the MQTT sink"
    size = code_and_data(linked)
    linked.unlink()
    sample = {"topic": "footprint", "row": row, "variant": "satchel", "figures": {"size_KiB": size}}
    results.take(json.dumps(sample))
    budget = {"variant": "satchel", "figure": "size_KiB", "against": "", "at_least": 0, "at_most": 400}
    results.take(json.dumps({"topic": "footprint", "row": row, "budget": budget}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--only")
    parser.add_argument("--output", default=".")
    parser.add_argument("--sizes")
    parser.add_argument("programs", nargs="+")
    arguments = parser.parse_args()
    options = ["--quick"] if arguments.quick else []
    if arguments.repetitions:
        options += ["--repetitions", str(arguments.repetitions)]
    if arguments.only:
        options += ["--only", arguments.only]
    results = Results()
    for program in arguments.programs:
        results.run([program, *options])
    output = pathlib.Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    if arguments.sizes:
        component_sizes(results, arguments.sizes, output)
    for topic, rows in results.samples.items():
        (output / f"{topic}.svg").write_text(Plot(topic, rows).svg())
        part = {"topic": topic, "rows": rows}
        (output / f"{topic}.json").write_text(json.dumps(part, indent=1))
    (output / "results.json").write_text(json.dumps(results.as_json(), indent=1))
    table = results.table()
    (output / "results.md").write_text(table + "\n")
    print(table)
    print(f"\n{results.summary()}; JSON and plots are in {output}")
    if results.failures:
        print(f"these did not run to their end: {', '.join(results.failures)}")
        return 1
    return 0 if results.samples else 1


if __name__ == "__main__":
    sys.exit(main())
