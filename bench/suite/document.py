"""The results of a run as one document, which is what is written as JSON and what all reports are made from."""

import platform

from .rows import PROMISES, ROWS, row_of, title_of
from .stats import ratio, summary


# Besides the phases unpinned and pinned: what the programs and the daemons used, not how long it took.
PROCESSOR_TIME = "processor time"


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {"kernel": platform.release(), "cpu": models[0] if models else platform.machine(), "cpus": len(models)}


def order(name):
    workload, _, layers = name.partition("/")
    return list(ROWS).index(workload), int(layers or 0)


def row_document(name, samples):
    """One row: for each system the summary, the ratio to the row's base and, where it was measured, to overlayfs
    mounted volatile."""
    row = row_of(name)
    systems = {}
    for system, values in samples.items():
        systems[system] = summary(values)
        if row.base in samples:
            systems[system]["ratio"] = ratio(values, samples[row.base])
        if "overlayfs volatile" in samples:
            systems[system]["ratio to volatile"] = ratio(values, samples["overlayfs volatile"])
    document = {"title": title_of(name), "unit": row.unit, "base": row.base, "systems": systems}
    if name in PROMISES:
        document["promise"] = {"io_uring": PROMISES[name].io_uring, "dev": PROMISES[name].dev}
    return document


def document(results, about):
    """`about`: what else a reader must know: the tree, numbers of layers, rounds …"""
    return {
        "machine": machine(),
        **about,
        "systems": results.about,
        "unavailable": results.unavailable,
        "skipped": results.skipped,
        "failed": [{"scenario": where, "system": system, "message": text} for where, system, text in results.failed],
        "phases": {
            phase: {name: row_document(name, rows[name]) for name in sorted(rows, key=order)}
            for phase, rows in results.samples.items()
        },
        "requests": {name: results.requests[name] for name in sorted(results.requests, key=order)},
    }
