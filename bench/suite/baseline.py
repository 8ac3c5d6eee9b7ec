"""The last accepted ratios, and whether a run is worse."""

import json

from .document import PROCESSOR_TIME
from .stats import spread


# Which of several clients, or of the kernel's read-ahead, comes first differs from run to run.
UNSTEADY = {"walks4", "walks4-cold", "stream-again", "random-read", "random-read-again", "random-write"}
REQUESTS = "requests"
# Of figures that drift little; a regression is three times as much.
STEADY = 0.05


def values(document):
    """{"phase | row | system": {"value", "noise"}} of mica's systems in a run's results: the ratio to the row's base, or
    the value itself where the row has no base; and the requests per operation. A ratio of elapsed times that was taken
    once or twice is not among them: on a busy machine it says nothing."""
    found = {}

    def put(phase, name, system, value, noise):
        found[f"{phase} | {name} | {system}"] = {"value": float(f"{value:.4g}"), "noise": float(f"{noise:.3g}")}

    for phase, rows in document["phases"].items():
        for name, row in rows.items():
            for system, result in row["systems"].items():
                if not system.startswith("mica"):
                    continue
                if row["base"] is None:
                    if phase != PROCESSOR_TIME:
                        put(phase, name, system, result["median"], noise(result))
                    continue
                ratio = result.get("ratio")
                if not ratio:
                    continue
                if phase == PROCESSOR_TIME:
                    put(phase, name, system, ratio["median"], max(spread(ratio), 2 * STEADY * ratio["median"]))
                elif ratio["samples"] > 2:
                    put(phase, name, system, ratio["median"], noise(ratio))
    for name, systems in document.get("requests", {}).items():
        if name.partition("/")[0] in UNSTEADY:
            continue
        for system, kinds in systems.items():
            total = sum(kinds.values())
            if system.startswith("mica") and total >= 0.1:
                put(REQUESTS, name, system, total, STEADY * total)
    return found


def noise(result):
    """The spread; of so few rounds that they say nothing about it, a quarter of the figure at least."""
    assumed = 0.25 * result["median"] if result["samples"] < 3 else 0.0
    return max(spread(result), assumed)


def write(path, document):
    """Makes the results the accepted ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    accepted = {
        "machine": document["machine"],
        "tree": document["tree"],
        "rounds": document["rounds"],
        "rows": values(document),
    }
    path.write_text(json.dumps(accepted, indent=1, ensure_ascii=False) + "\n")


def read(path):
    return json.loads(path.read_text())
