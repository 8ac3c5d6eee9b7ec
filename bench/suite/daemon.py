"""The processes that serve a mount, and the mount's place in the kernel's table."""

import os
import pathlib
import resource
import time

from .workspace import Failed, run


def device_of(target):
    """(major, minor) of the filesystem mounted at `target`, without asking it anything."""
    with open("/proc/self/mountinfo") as table:
        lines = [line.split() for line in table]
    for words in reversed(lines):
        if words[4] == str(target):
            major, minor = words[2].split(":")
            return int(major), int(minor)
    raise Failed(f"nothing is mounted at {target}")


def daemons_of(target):
    """Process ids of those that have `target` as one of their arguments."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if os.fsencode(target) in words and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def has_ended(process):
    try:
        state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def unmount(target, daemons):
    """Unmounts, and waits for the daemons: what they do at their end belongs to no other row."""
    for patience in range(50):
        try:
            run("umount", target)
            break
        except Failed as failure:
            if "busy" not in str(failure) or patience == 49:
                raise
            time.sleep(0.02)
    for _ in range(10_000):
        if all(has_ended(process) for process in daemons):
            return
        time.sleep(0.001)
    raise Failed(f"the daemon of {target} did not end with its mount")


def memory(daemons):
    """Resident megabytes of the processes."""
    total = 0
    for process in daemons:
        for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


def processor_time(daemons):
    """Seconds of processor time that the daemons have used, and all programs that we ran to their end. What the
    kernel's own threads do for them is in nobody's account."""
    total = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    for process in daemons:
        for thread in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            total += int(thread.read_text().split()[0]) / 1e9
    return total


def descriptors(daemons):
    return sum(len(os.listdir(f"/proc/{process}/fd")) for process in daemons)
