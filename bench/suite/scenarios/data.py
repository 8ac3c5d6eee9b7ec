"""Large files: streams, random blocks, mappings."""

from .. import inputs
from .registry import WITH_NATIVE, data, scenario

READS = 40_000
WRITES = 20_000


def warm_data(bench, system, stack, *names):
    """Reads the files through a mount that is given up, so that what is below the next one has them in memory."""
    with system.place(stack) as place:
        for name in names:
            bench.client.seconds(place.target, "stream", f"data/{name}")


@scenario("stream", kinds=WITH_NATIVE, stack=data)
def stream(bench, system, stack):
    warm_data(bench, system, stack, "stream")
    with system.place(stack) as place:
        for workload in ("stream", "stream-again"):
            bench.measure(place, workload, lambda: bench.client.seconds(place.target, "stream", "data/stream"))


@scenario("blocks", kinds=WITH_NATIVE, stack=data)
def blocks(bench, system, stack):
    warm_data(bench, system, stack, "large-a", "large-b")
    with system.place(stack) as place:
        for workload in ("random-read", "random-read-again"):
            bench.measure(
                place, workload,
                lambda: bench.client.seconds(place.target, "random-read", "data/large-a", READS), READS,
            )  # fmt: skip
        for workload in ("map", "map-again"):
            bench.measure(place, workload, lambda: bench.client.seconds(place.target, "map", "data/large-b"))


def touch_memory(bench):
    """What is freed last is taken first: pages that a virtual machine's host has given. The first use of others costs
    more than the write, and it would be for whoever comes first."""
    file = bench.scratch / "memory"
    bench.client.seconds(bench.scratch, "write", file, 3 * inputs.LARGE)
    file.unlink()


@scenario("write", kinds=WITH_NATIVE, stack=data, rounds=3)
def write(bench, system, stack):
    with system.place(stack, writable=True) as place:
        file = place.work() / "written"
        # A file of the round before would be cut, and its new data written out when it is closed.
        file.unlink(missing_ok=True)
        touch_memory(bench)
        bench.measure(
            place, "write", lambda: bench.client.seconds(place.target, "write", file, inputs.LARGE)
        )
        bench.measure(
            place, "random-write",
            lambda: bench.client.seconds(place.target, "random-write", file, WRITES), WRITES,
        )  # fmt: skip
