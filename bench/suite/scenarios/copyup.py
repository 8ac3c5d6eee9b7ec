"""The first change of a lower file."""

import os

from .. import inputs
from .data import warm_data
from .registry import WITH_VOLATILE, data, scenario


@scenario("copyup", kinds=WITH_VOLATILE, stack=data)
def copyup(bench, system, stack):
    small = [f"data/small-{number}".encode() for number in range(inputs.SMALL)]
    medium = [f"data/medium-{number}".encode() for number in range(inputs.MEDIUM)]
    large, other = [b"data/large-a"], [b"data/large-b"]
    warm_data(bench, system, stack, "large-a", "large-b", *(os.path.basename(path).decode() for path in medium + small))
    with system.place(stack, writable=True) as place:
        for workload, command, paths in (
            ("copyup-4k", "write-once", small),
            ("copyup-1m", "write-once", medium),
            ("copyup-256m", "write-once", large),
            ("chmod-256m", "chmod-list", other),
        ):
            chosen = bench.client.list("first-write", paths)
            # What was written before belongs to the step before.
            os.sync()
            bench.measure(
                place, workload, lambda: bench.client.seconds(place.target, command, chosen), len(paths)
            )
