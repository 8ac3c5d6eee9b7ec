"""A run's document as Markdown."""

from .document import PROCESSOR_TIME
from .stats import spread


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cell(result):
    """Median and spread."""
    text, noise = number(result["median"]), spread(result)
    return f"{text} ± {number(noise)}" if noise else text


def table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |"]
    lines.append("| " + " | ".join("---" if column == 0 else "---:" for column in range(len(headings))) + " |")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def systems_of(document):
    """In the order they were given in, and those that only some rows have after them."""
    names = list(document["systems"])
    for rows in document["phases"].values():
        for row in rows.values():
            names += [name for name in row["systems"] if name not in names]
    return names


def counted(row, system):
    """What of a system is compared: its ratio to the base, or the value itself; None if there is none."""
    result = row["systems"].get(system)
    if result is None or row["base"] is None:
        return result
    return result.get("ratio")


def verdicts(document, phase):
    """[(excess, name, row, {transport: (system, result)})] of the rows that something is promised for, the worst
    first: of the variants of a transport the best one counts. The excess is the figure divided by what is promised;
    0 where nothing was measured."""
    found = []
    for name, row in document["phases"].get(phase, {}).items():
        if "promise" not in row:
            continue
        best, excess = {}, 0.0
        for transport in ("io_uring", "dev"):
            measured = [
                (counted(row, system)["median"], system)
                for system in row["systems"]
                if transport_of(document, system) in (transport, "both") and counted(row, system)
            ]
            if measured:
                value, system = min(measured)
                best[transport] = (system, counted(row, system))
                excess = max(excess, value / row["promise"][transport])
        found.append((excess, name, row, best))
    return sorted(found, key=lambda verdict: verdict[0], reverse=True)


def transport_of(document, system):
    if system == "mica":
        return "both"
    return document["systems"].get(system, {}).get("transport")


def promised(document, phase):
    """Rows against what is promised, the worst first."""
    rows = []
    for excess, name, row, best in verdicts(document, phase):
        cells = [f"{row['title']} (`{name}`)"]
        for transport in ("io_uring", "dev"):
            limit = row["promise"][transport]
            cells.append(f"≤ {limit:g}")
            if transport in best:
                system, result = best[transport]
                mark = "" if result["median"] <= limit else " ✗"
                cells.append(f"{cell(result)}{mark} ({system.removeprefix('mica ')})")
            else:
                cells.append("–")
        rows.append([*cells, f"{excess:.2f}" if excess else "–"])
    headings = ["row", "io_uring promised", "io_uring", "/dev/fuse promised", "/dev/fuse", "figure / promise"]
    return f"### Promises, {phase}: the best variant of each transport\n\n" + table(headings, rows)


def figures(document, phase):
    """All rows: what they cost on the base, and what they cost on the others in relation to it."""
    rows = document["phases"][phase]
    names = systems_of(document)
    names = [name for name in names if any(name in row["systems"] for row in rows.values())]
    bases = {row["base"] for row in rows.values()}
    others = [name for name in names if name not in bases]
    lines = []
    for row in rows.values():
        base = row["systems"].get(row["base"])
        unit = f" {row['unit']}" if row["unit"] else ""
        line = [row["title"], f"{cell(base)}{unit}" + ("" if row["base"] == "overlayfs" else f" ({row['base']})") if base else "–"]
        for name in others:
            result = counted(row, name)
            line.append((cell(result) + (unit if row["base"] is None else "")) if result else "")
        lines.append(line)
    return f"### Ratios to overlayfs, {phase}\n\n" + table(["row", "overlayfs, or what is named", *others], lines)


def to_volatile(document, phase):
    """The rows that were also measured against overlayfs mounted volatile."""
    lines, names = [], []
    for row in document["phases"][phase].values():
        if "overlayfs volatile" not in row["systems"]:
            continue
        names += [name for name in row["systems"] if name not in names and name != "overlayfs volatile"]
        lines.append((row, row["systems"]))
    if not lines:
        return ""
    rows = [
        [row["title"], f"{cell(systems['overlayfs volatile'])} {row['unit']}"]
        + [cell(systems[name]["ratio to volatile"]) if name in systems and systems[name].get("ratio to volatile") else "" for name in names]
        for row, systems in lines
    ]
    return f"### Ratios to overlayfs mounted volatile, {phase}\n\n" + table(["row", "volatile", *names], rows)


def requests(document):
    """Requests per operation, by kind, of each FUSE system; rows of one operation show all requests of it."""
    names = [name for name in systems_of(document) if any(name in row for row in document["requests"].values())]
    lines = []
    for name, row in document["requests"].items():
        line = [f"`{name}`"]
        for system in names:
            kinds = sorted(row.get(system, {}).items(), key=lambda item: -item[1])
            total = sum(count for _, count in kinds)
            parts = ", ".join(f"{kind} {number(count)}" for kind, count in kinds[:4] if count >= total / 100)
            line.append(f"{number(total)} ({parts})" if total else ("0" if system in row else ""))
        lines.append(line)
    return "### Requests per operation\n\n" + table(["row", *names], lines) if lines else ""


def markdown(document):
    """Everything."""
    machine = document["machine"]
    parts = [
        f"{document['tree']}, {document['entries']:,} entries, layers {', '.join(map(str, document['layers']))}; "
        f"{document['rounds']} rounds or a multiple; {document['where']}; Linux {machine['kernel']}, "
        f"{machine['cpus']} × {machine['cpu']}. Medians ± half the width of the middle half; the ratio is taken "
        "in each round. Smaller is better.\n"
    ]
    lists = [f"- {name}: {about['about']}" for name, about in document["systems"].items()]
    lists += [f"- {name}: not available: {why}" for name, why in document["unavailable"].items()]
    lists += [f"- not measured: {what}: {why}" for what, why in document["skipped"].items()]
    lists += [
        f"- failed: {failure['scenario']} {failure['system']}: {failure['message'].splitlines()[-1][:300]}"
        for failure in document["failed"]
    ]
    parts.append("\n".join(lists) + "\n")
    for phase in document["phases"]:
        if phase != PROCESSOR_TIME:
            parts.append(promised(document, phase))
        parts += [figures(document, phase), to_volatile(document, phase)]
    parts.append(requests(document))
    return "\n".join(part for part in parts if part)
