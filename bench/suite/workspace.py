"""A private directory for one run, gone afterwards with everything mounted in it."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile


class Failed(Exception):
    """A program did not do what it was asked to; the message says which and why."""


def run(*command, timeout=900, **options):
    """Runs a program to its end and returns what it printed; what it says on standard error is shown only if it
    fails. A program that hangs is killed after `timeout` seconds: no row is worth a run that never ends."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, **options
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(words)}: no end after {timeout} s") from None
    except FileNotFoundError as error:
        raise Failed(f"{words[0]}: {error.strerror}") from None
    if result.returncode != 0:
        said = result.stderr.decode(errors="replace").strip() or result.stdout.decode(errors="replace").strip()
        raise Failed(f"{' '.join(words)[:400]}: exit status {result.returncode}\n{said[-2000:]}")
    return result.stdout.decode(errors="replace")


def mountpoints_below(directory):
    """The innermost first."""
    prefix = f"{directory}/"
    with open("/proc/self/mountinfo") as table:
        found = [line.split()[4] for line in table]
    return [point for point in reversed(found) if point.startswith(prefix)]


def attach(image):
    """A loop device for `image` that does not keep its blocks in the page cache a second time."""
    try:
        return run("losetup", "--find", "--show", "--direct-io=on", image).strip()
    except Failed:
        return run("losetup", "--find", "--show", image).strip()


@contextlib.contextmanager
def workspace(ext4_gigabytes=None):
    """Yields two new directories: one for inputs, and one to measure in; that is on a journalled ext4 of its own if a
    size is given."""
    if os.geteuid() != 0:
        raise Failed("the benchmarks mount: run them as root")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="mica-bench-"))
    device = None
    try:
        if not ext4_gigabytes:
            measured = scratch / "e"
            measured.mkdir()
            yield scratch, measured
            return
        image, place = scratch / "ext4.img", scratch / "e"
        with open(image, "wb") as file:
            file.truncate(ext4_gigabytes << 30)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        place.mkdir()
        device = attach(image)
        run("mount", "-o", "noatime", device, place)
        yield scratch, place
    finally:
        for point in mountpoints_below(scratch):
            subprocess.run(["umount", "-l", point], check=False)
        if device:
            subprocess.run(["losetup", "--detach", device], check=False)
        # Never through a mount that would not go.
        if not mountpoints_below(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
