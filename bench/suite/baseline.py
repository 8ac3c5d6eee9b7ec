"""The last accepted ratios, and whether a run is worse."""

import json

from .document import PROCESSOR_TIME
from .stats import spread


def values(document):
    """{"phase row system": {"value", "noise"}} of mica's systems in a run's results: the ratio to the row's base, or
    the value itself where the row has no base."""
    found = {}
    for phase, rows in document["phases"].items():
        if phase == PROCESSOR_TIME:
            continue
        for name, row in rows.items():
            for system, result in row["systems"].items():
                if not system.startswith("mica"):
                    continue
                counted = result if row["base"] is None else result.get("ratio")
                if counted:
                    found[f"{phase} | {name} | {system}"] = {
                        "value": float(f"{counted['median']:.4g}"),
                        "noise": float(f"{noise(counted):.3g}"),
                    }
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
