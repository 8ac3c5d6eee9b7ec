"""A private directory for one run, gone afterwards with everything mounted in it."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile


def run(*command, **options):
    """Runs a program to its end; what it says on standard error is shown only if it fails."""
    result = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, **options
    )
    if result.returncode != 0:
        raise SystemExit(
            f"{' '.join(map(str, command))}: exit status {result.returncode}\n"
            + result.stderr.decode(errors="replace")
        )
    return result.stdout.decode(errors="replace")


def mountpoints_below(directory):
    """The innermost first."""
    prefix = f"{directory}/"
    with open("/proc/self/mountinfo") as table:
        found = [line.split()[4] for line in table]
    return [point for point in reversed(found) if point.startswith(prefix)]


@contextlib.contextmanager
def workspace(ext4_gigabytes=None):
    """Yields a new directory; on a journalled ext4 of its own if a size is given."""
    if os.geteuid() != 0:
        raise SystemExit("the benchmarks mount: run them as root")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="mica-bench-"))
    try:
        if not ext4_gigabytes:
            yield scratch
            return
        image, place = scratch / "ext4.img", scratch / "ext4"
        with open(image, "wb") as file:
            file.truncate(ext4_gigabytes << 30)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        place.mkdir()
        run("mount", "-o", "loop,noatime", image, place)
        yield place
    finally:
        for point in mountpoints_below(scratch):
            subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(scratch, ignore_errors=True)
