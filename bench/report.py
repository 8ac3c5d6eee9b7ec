"""Medians and their spread, as JSON, Markdown and SVG."""

import json
import platform
import statistics
from html import escape
from math import ceil, floor, log10

COLOURS = {"overlayfs": "#888888", "fuse-overlayfs": "#d08030", "mica": "#2060c0", "umoci": "#888888"}


def summary(samples):
    """Median, and the half of the samples around it."""
    ordered = sorted(samples)
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return {"median": statistics.median(ordered), "low": low, "high": high, "samples": len(ordered)}


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {"kernel": platform.release(), "cpu": models[0] if models else platform.machine(), "cpus": len(models)}


def write_json(path, document):
    path.write_text(json.dumps({"machine": machine(), **document}, indent=2) + "\n")


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cell(result):
    """Median and spread."""
    text = number(result["median"])
    spread = (result["high"] - result["low"]) / 2
    return f"{text} ± {number(spread)}" if spread else text


def markdown(title, headings, rows):
    lines = [f"### {title}", "", "| " + " | ".join(headings) + " |"]
    lines.append("| " + " | ".join("---" if column == 0 else "---:" for column in range(len(headings))) + " |")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def plot(panels, width=330, height=230, columns=3):
    """Small charts side by side. `panels`: [(title, unit, {series: [(x, y)]})]; x by position, y logarithmic."""
    rows = (len(panels) + columns - 1) // columns
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * columns}" height="{height * rows + 30}"'
        ' font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    names = []
    for place, (title, unit, series) in enumerate(panels):
        left = place % columns * width + 50
        top = place // columns * height + 30
        parts += panel(title, unit, series, left, top, width - 70, height - 70)
        names += [name for name in series if name not in names]
    for place, name in enumerate(names):
        x, y = 50 + place * 130, height * rows + 15
        parts.append(f'<rect x="{x}" y="{y - 9}" width="18" height="4" fill="{colour(name)}"/>')
        parts.append(f'<text x="{x + 24}" y="{y - 3}">{escape(name)}</text>')
    return "\n".join(parts + ["</svg>", ""])


def colour(name):
    return COLOURS.get(name, "#333333")


def panel(title, unit, series, left, top, width, height):
    positions = sorted({x for points in series.values() for x, _ in points})
    values = [y for points in series.values() for _, y in points if y > 0]
    ticks = decades(min(values), max(values))
    low, high = log10(ticks[0]), log10(ticks[-1])

    def at(x, y):
        column = positions.index(x) / max(1, len(positions) - 1)
        return left + column * width, top + height - (log10(max(y, ticks[0])) - low) / (high - low) * height

    yield f'<text x="{left}" y="{top - 10}" font-weight="bold">{escape(title)}, {escape(unit)}</text>'
    for tick in ticks:
        _, y = at(positions[0], tick)
        yield f'<path d="M{left} {y:.1f}h{width}" stroke="#dddddd"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
    for position in positions:
        x, _ = at(position, ticks[0])
        yield f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{position}</text>'
    for name, points in series.items():
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in sorted(points)))
        yield f'<polyline points="{line}" fill="none" stroke="{colour(name)}" stroke-width="2"/>'


def decades(low, high):
    """1, 10, 100 … around the values, at least two."""
    first, last = floor(log10(low)), ceil(log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]
