"""One run: its systems and inputs, which scenario is measured on which system in which order, and what came out."""

import gc
import os
import sys
import time

from . import inputs
from .client import Client
from .counters import Counters, tracepoint
from .daemon import processor_time
from .document import PROCESSOR_TIME
from .rows import ROWS, SECONDS
from .stacks import Stack
from .workspace import Failed


class Skipped(Exception):
    """A scenario does not apply to this run; the message says why."""


class Results:
    """samples[phase][row][system] = [value by round]; requests[row][system] = {kind: requests per operation}."""

    def __init__(self):
        self.samples, self.requests = {}, {}
        self.failed, self.skipped, self.unavailable, self.about = [], {}, {}, {}

    def add(self, phase, row, system, value):
        self.samples.setdefault(phase, {}).setdefault(row, {}).setdefault(system, []).append(value)


class Bench:
    """What scenarios are given. `phase` is unpinned or pinned; `counting` is true in the round that counts requests
    and whose times are thrown away."""

    def __init__(self, options, spare, scratch, tree):
        """`scratch`: where everything is measured. `spare`: a directory for inputs."""
        self.options, self.spare, self.scratch, self.tree = options, spare, scratch, tree
        self.mica, self.store = options.mica, scratch / "store"
        self.client = Client(scratch)
        self.results = Results()
        self.systems, self.stacks, self.made = [], {}, {}
        self.phase, self.counting, self.turn, self.suffix = "unpinned", False, 0, ""
        self.tracepoint = None
        try:
            self.tracepoint = tracepoint(scratch)
        except Failed as failure:
            self.results.skipped["requests per operation"] = str(failure)

    # Inputs, made when they are first asked for.

    def once(self, name, make):
        """A path in `spare` that `make` fills the first time."""
        path = self.spare / name
        if name not in self.made:
            say(f"making {name}")
            make(path)
            self.made[name] = path
        return path

    def stack(self, depth):
        """The tree as `depth` layers."""
        if depth not in self.stacks:
            say(f"making the stack of {depth} layers")
            self.stacks[depth] = self.stack_of(self.tree, depth, f"s{depth}")
        return self.stacks[depth]

    def data(self):
        """The stack with the files of inputs.data_tree."""
        if "data" not in self.stacks:
            source = self.once("data.tar", inputs.data_tree)
            say("making the stack of data files")
            self.stacks["data"] = self.stack_of(source, 1, "data")
        return self.stacks["data"]

    def wide(self):
        """The stack with the tree of inputs.wide_tree."""
        if "wide" not in self.stacks:
            source = self.once("wide.tar", inputs.wide_tree)
            say("making the stack of many names")
            self.stacks["wide"] = self.stack_of(source, 1, "wide")
        return self.stacks["wide"]

    def replaced(self):
        """The stack with the tree of inputs.replaced_tree."""
        if "replaced" not in self.stacks:
            source = self.once("replaced.tar", inputs.replaced_tree)
            self.stacks["replaced"] = self.stack_of(source, 1, "replaced")
        return self.stacks["replaced"]

    def stack_of(self, source, depth, name):
        split = self.options.split
        return Stack(source, depth, self.scratch / name, self.mica, self.store, self.spare, split)

    # Measuring.

    def name(self, workload):
        return workload + self.suffix

    def measure(self, place, workload, body, count=1):
        """Does `body` once and records its cost per operation, of which it does `count`: the seconds that it
        returns, or those until it returned. In the counting round: the requests."""
        row, system = self.name(workload), place.system
        if self.counting:
            if self.tracepoint is None or not place.is_mounted:
                body()
                return
            counters = Counters(self.tracepoint, place.device)
            try:
                counters.start()
                body()
                counts = counters.stop()
            finally:
                counters.close()
            per_operation = {kind: number / count for kind, number in counts.items()}
            self.results.requests.setdefault(row, {})[system.name] = per_operation
            return
        gc.disable()
        busy = processor_time(place.daemons)
        start = time.perf_counter()
        seconds = body()
        elapsed = time.perf_counter() - start
        # A mount that was made in the meantime has daemons that had used nothing before.
        busy = processor_time(place.daemons) - busy
        gc.enable()
        if not isinstance(seconds, float):
            seconds = elapsed
        scale = SECONDS[ROWS[workload].unit] / count
        self.record(system.name, workload, max(seconds, 1e-9) * scale)
        if self.phase == self.options.phases[0]:
            self.results.add(PROCESSOR_TIME, row, system.name, busy * scale)

    def record(self, system, workload, value):
        """A value that is no time, or was timed elsewhere, in the row's unit."""
        if not self.counting:
            self.results.add(self.phase, self.name(workload), system, value)

    # Order.

    def run(self, scenario):
        """All rounds of a scenario on all systems that it is for, in turn."""
        depths = self.options.layers if scenario.deep else [None]
        for depth in depths:
            self.suffix = f"/{depth}" if depth else ""
            label = scenario.name + self.suffix
            try:
                stack = scenario.stack(self, depth or self.options.layers[0])
            except Skipped as reason:
                self.results.skipped[label] = str(reason)
                return
            except Failed as failure:
                self.results.failed.append((label, "preparation", str(failure)))
                return
            systems = [system for system in self.systems if system.kind in scenario.kinds] or [None]
            for phase in self.options.phases:
                self.phase = phase
                with pinned(phase == "pinned"):
                    self.rounds(scenario, label, stack, systems)

    def rounds(self, scenario, label, stack, systems):
        start = time.monotonic()
        broken = set()
        rounds = range(self.options.repeat * scenario.rounds)
        if scenario.counted and self.options.requests and self.phase == self.options.phases[0]:
            self.counting = True
            self.each(scenario, label, stack, [system for system in systems if system.is_fuse], broken)
            self.counting = False
        done = 0
        for turn in rounds:
            if done and self.options.limit and time.monotonic() - start > self.options.limit:
                break
            self.turn, done = turn, turn + 1
            # Nobody comes always first.
            shift = turn % len(systems)
            order = systems[shift:] + systems[:shift]
            if turn >= self.options.repeat:
                # The slowest by far have no more rounds than asked for.
                order = [system for system in order if not system or system.kind != "fuse-overlayfs"]
            self.each(scenario, label, stack, order, broken)
        say(f"{label}, {self.phase}: {done} of {len(rounds)} rounds, {time.monotonic() - start:.0f} s")

    def each(self, scenario, label, stack, systems, broken):
        for system in systems:
            if system in broken:
                continue
            try:
                scenario.body(self, system, stack)
            except Skipped as reason:
                self.results.skipped[f"{label}, {system.name}" if system else label] = str(reason)
                broken.add(system)
            # Whatever it is: the other rows are still worth having.
            except Exception as failure:
                broken.add(system)
                name = system.name if system else ""
                self.results.failed.append((label, name, f"{type(failure).__name__}: {failure}"))
                say(f"{label}: {name} failed: {failure}")


class pinned:
    """Everything that starts within runs on one CPU."""

    def __init__(self, wanted):
        self.wanted, self.before = wanted, os.sched_getaffinity(0)

    def __enter__(self):
        if self.wanted:
            os.sched_setaffinity(0, {min(self.before)})

    def __exit__(self, *failure):
        os.sched_setaffinity(0, self.before)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
