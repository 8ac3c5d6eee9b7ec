"""Plots of a run's document, as SVG: ratios by row, and cost by number of layers."""

from html import escape
from math import ceil, floor, log10

from .rows import ROWS
from .tables import counted, systems_of

COLOURS = {"native": "#40a040", "overlayfs": "#888888", "overlayfs volatile": "#bbbbbb"}
PALETTES = {"fuse-overlayfs": ["#d08030", "#e0b060"], "mica": ["#2060c0", "#20b0b0", "#7040b0", "#d060a0"]}


def colours(names):
    """A colour for each system; variants of one system are shades of it."""
    chosen, used = {}, {}
    for name in names:
        family = name.split()[0]
        palette = PALETTES.get(family, ["#333333"])
        chosen[name] = COLOURS.get(name) or palette[used.get(family, 0) % len(palette)]
        used[family] = used.get(family, 0) + 1
    return chosen


def frame(width, height, names, body):
    """A picture with a legend below."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + 30}"'
        ' font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        *body,
    ]
    x = 20
    for name, colour in colours(names).items():
        parts.append(f'<rect x="{x}" y="{height + 6}" width="14" height="6" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{height + 13}">{escape(name)}</text>')
        x += 34 + 6.3 * len(name)
    return "\n".join([*parts, "</svg>", ""])


def ratios(document, phase, left=330, width=620, line=16):
    """A line for each row with a ratio, a dot for each system, and a bar where mica's promises end."""
    rows = {name: row for name, row in document["phases"][phase].items() if row["base"]}
    names = [name for name in systems_of(document) if name != "overlayfs"]
    shades = colours(names)
    dots = []
    for place, row in enumerate(rows.values()):
        for name in names:
            result = counted(row, name) if name != row["base"] else None
            if result and result["median"] > 0:
                dots.append((place, name, result))
    if not dots:
        return frame(left + width, 40, [], [])
    values = [result["median"] for _, _, result in dots] + [1.0]
    ticks = decades(min(values), max(values))
    low, high = log10(ticks[0]), log10(ticks[-1])

    def x(value):
        return left + (log10(max(value, ticks[0])) - low) / (high - low) * (width - 30)

    top, bottom = 36, 36 + len(rows) * line
    parts = [f'<text x="{left}" y="14">ratio to overlayfs ({escape(phase)}); bars: what mica promises on io_uring</text>']
    for tick in ticks:
        shade = "#888888" if tick == 1 else "#dddddd"
        parts.append(f'<path d="M{x(tick):.1f} {top}V{bottom}" stroke="{shade}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{top - 3}" text-anchor="middle">{tick:g}</text>')
    for place, row in enumerate(rows.values()):
        y = top + place * line + line / 2
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(row["title"])}</text>')
        if "promise" in row:
            end = x(row["promise"]["io_uring"])
            parts.append(f'<path d="M{end:.1f} {y - 6}v12" stroke="#000000" stroke-width="2"/>')
    for place, name, result in dots:
        y = top + place * line + line / 2
        parts.append(
            f"<g><title>{escape(name)}: {result['median']:.3g}</title>"
            f'<circle cx="{x(result["median"]):.1f}" cy="{y:.1f}" r="3.5" fill="{shades[name]}"/></g>'
        )
    return frame(left + width, bottom + 10, names, parts)


def depth(document, phase):
    """Small charts of what was measured at more than one number of layers."""
    found = {}
    for name, row in document["phases"][phase].items():
        workload, _, layers = name.partition("/")
        if layers:
            for system, result in row["systems"].items():
                found.setdefault(workload, {}).setdefault(system, []).append((int(layers), result["median"]))
    panels = [
        (ROWS[workload].title, ROWS[workload].unit, series)
        for workload, series in found.items()
        if ROWS[workload].base and len({at for points in series.values() for at, _ in points}) > 1
    ]
    return plot(panels) if panels else None


def plot(panels, width=330, height=230, columns=3):
    """Small charts side by side. `panels`: [(title, unit, {series: [(x, y)]})]; x by position, y logarithmic."""
    rows = (len(panels) + columns - 1) // columns
    names = []
    for _, _, series in panels:
        names += [name for name in series if name not in names]
    shades, parts = colours(names), []
    for place, (title, unit, series) in enumerate(panels):
        left = place % columns * width + 50
        top = place // columns * height + 30
        parts += panel(title, unit, series, shades, left, top, width - 70, height - 70)
    return frame(width * columns, height * rows, names, parts)


def panel(title, unit, series, shades, left, top, width, height):
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
        yield f'<polyline points="{line}" fill="none" stroke="{shades[name]}" stroke-width="2"/>'


def decades(low, high):
    """1, 10, 100 … around the values, at least two."""
    first, last = floor(log10(low)), ceil(log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]
