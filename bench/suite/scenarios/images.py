"""mica's commands for images and containers, and the programs that do the same."""

import json
import os
import shutil
import subprocess
import threading
import time

from ..bench import Skipped
from ..layers import oci_layout
from ..workspace import Failed, run
from .registry import ALONE, scenario

CHANGED = 1000


def in_turn(bench, *steps):
    for step in steps if bench.turn % 2 == 0 else reversed(steps):
        step()


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed")


def timed(command):
    """Seconds that a command took, and the most memory that its first process had, in megabytes. Not by getrusage:
    that counts what the process had of ours before its execve."""
    os.sync()
    peak = [0.0]
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    watch = threading.Thread(target=watch_memory, args=(process, peak))
    watch.start()
    errors = process.stderr.read()
    process.wait()
    elapsed = time.perf_counter() - start
    watch.join()
    if process.returncode != 0:
        raise Failed(f"{command}: status {process.returncode}\n{errors.decode(errors='replace')[-2000:]}")
    return elapsed, peak[0]


def watch_memory(process, peak):
    while process.returncode is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                for line in file:
                    if line.startswith("VmHWM:"):
                        peak[0] = max(peak[0], int(line.split()[1]) / 1024)
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.02)


@scenario("load", kinds=ALONE, counted=False)
def load(bench, _, stack):
    """An OCI layout of gzip layers."""
    need("umoci")
    source = bench.once("layout", lambda path: oci_layout(stack.archives, "tree", path))
    # Both read the layout from memory.
    run("sh", "-c", f"cat '{source}'/blobs/sha256/* >/dev/null")

    def one(system, command, made):
        try:
            seconds, memory = timed(command)
            bench.record(system, "load", seconds)
            bench.record(system, "load-memory", memory)
            bench.record(system, "load-disk", int(run("du", "-sx", "--block-size=1", made).split()[0]) / 1e6)
        finally:
            run("rm", "-rf", made)

    bundle, store = bench.scratch / "bundle", bench.scratch / "load-store"
    in_turn(
        bench,
        lambda: one("umoci unpack", ["umoci", "unpack", "--image", f"{source}:tree", bundle], bundle),
        lambda: one("mica", [bench.mica, "load", "--root", store, "-i", source], store),
    )


def change(root, files):
    """Appends to each file."""
    for path in files:
        with open(os.path.join(os.fsencode(root), path), "ab") as file:
            file.write(b"changed\n")


@scenario("commit", kinds=ALONE, counted=False)
def commit(bench, _, stack):
    need("podman")
    lower = os.fsencode(bench.stack(stack.depth).native())
    small = [path for path in stack.files if os.lstat(os.path.join(lower, path)).st_size < 256 << 10]
    files = stack.sample(small, CHANGED)
    here = bench.scratch / "podman"
    podman = ["podman", "--root", here / "root", "--runroot", here / "run", "--storage-driver", "overlay"]
    bench.once("podman-import", lambda _: run(*podman, "import", "-q", bench.tree, "bench:tree"))
    name = f"commit-{bench.phase}-{bench.turn}"

    def theirs():
        container = run(*podman, "create", "bench:tree", "true").strip()
        try:
            change(run(*podman, "mount", container).strip(), files)
            seconds, _ = timed([*podman, "commit", "-q", container, name])
            bench.record("podman commit", "commit", seconds * 1e3)
        finally:
            run(*podman, "rm", "-f", container)
            run(*podman, "rmi", "-f", name)

    def ours():
        system = next((system for system in bench.systems if system.kind == "mica"), None)
        if system is None:
            raise Failed("no variant of mica is there to be committed")
        with system.place(stack, writable=True) as place:
            change(place.target, files)
            root = ["--root", bench.store]
            seconds, _ = timed([bench.mica, "commit", *root, system.key(place.upper), f"{name}:1"])
            bench.record("mica", "commit", seconds * 1e3)
        run(bench.mica, "rmi", *root, f"{name}:1")

    in_turn(bench, theirs, ours)


def bundle(directory, stack):
    """A runc bundle whose root is the tree in one directory."""
    directory.mkdir()
    run("runc", "spec", cwd=directory)
    config = json.loads((directory / "config.json").read_text())
    config["process"]["args"], config["process"]["terminal"] = ["true"], False
    config["root"] = {"path": str(stack.native()), "readonly": True}
    (directory / "config.json").write_text(json.dumps(config))


@scenario("run", kinds=ALONE, rounds=5, counted=False)
def run_true(bench, _, stack):
    need("runc")
    if not stack.has("true"):
        raise Skipped("the tree has no program `true`")
    directory = bench.once("runc", lambda path: bundle(path, stack))
    root, state = ["--root", bench.store], ["--root", bench.scratch / "runc-state"]

    def one(system, command):
        bench.record(system, "run", timed(command)[0] * 1e3)

    in_turn(
        bench,
        lambda: one("runc run", ["runc", *state, "run", "--bundle", directory, f"bench-{os.getpid()}"]),
        lambda: one("mica", [bench.mica, "run", *root, "--rm", stack.image, "true"]),
    )
