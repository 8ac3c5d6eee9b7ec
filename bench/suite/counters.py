"""How many requests a FUSE mount sends to its server, by kind.

The kernel has the tracepoint fuse_request_send (Linux 6.10); a perf event on each CPU counts it, one event for each
kind of request, filtered by the mount's device number. So it is the same for every server, and nothing is recorded
but numbers. Numbers of requests: <linux/fuse.h>, enum fuse_opcode. FORGET is not a request in this sense."""

import ctypes
import errno
import fcntl
import os
import pathlib
import struct

from .workspace import Failed, run

KINDS = {
    1: "LOOKUP", 3: "GETATTR", 4: "SETATTR", 5: "READLINK", 6: "SYMLINK", 8: "MKNOD", 9: "MKDIR", 10: "UNLINK",
    11: "RMDIR", 12: "RENAME", 13: "LINK", 14: "OPEN", 15: "READ", 16: "WRITE", 17: "STATFS", 18: "RELEASE",
    20: "FSYNC", 21: "SETXATTR", 22: "GETXATTR", 23: "LISTXATTR", 24: "REMOVEXATTR", 25: "FLUSH", 27: "OPENDIR",
    28: "READDIR", 29: "RELEASEDIR", 30: "FSYNCDIR", 31: "GETLK", 32: "SETLK", 33: "SETLKW", 34: "ACCESS", 35: "CREATE",
    37: "BMAP", 39: "IOCTL", 40: "POLL", 43: "FALLOCATE", 44: "READDIRPLUS", 45: "RENAME2", 46: "LSEEK",
    47: "COPY_FILE_RANGE", 50: "SYNCFS", 51: "TMPFILE", 52: "STATX",
}  # fmt: skip

# <linux/perf_event.h>
PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
TYPE_TRACEPOINT, ATTRIBUTE_SIZE, DISABLED, CLOSE_ON_EXEC = 2, 64, 1, 8
ENABLE, DISABLE, RESET, SET_FILTER = 0x2400, 0x2401, 0x2403, 0x40082406


def tracepoint(scratch):
    """The tracepoint's number. Mounts tracefs below `scratch` where it is not mounted."""
    for root in (pathlib.Path("/sys/kernel/tracing"), scratch / "tracefs"):
        if root.parent == scratch:
            root.mkdir(exist_ok=True)
            run("mount", "-t", "tracefs", "none", root)
        if (root / "events").exists():
            try:
                return int((root / "events/fuse/fuse_request_send/id").read_text())
            except FileNotFoundError:
                raise Failed("this kernel has no tracepoint fuse_request_send") from None
    raise Failed("tracefs cannot be mounted")


class Counters:
    """Counters of the requests of one mount; all stand at zero."""

    def __init__(self, number, device):
        """`number`: of the tracepoint. `device`: (major, minor) of the mount."""
        libc = ctypes.CDLL(None, use_errno=True)
        call = PERF_EVENT_OPEN.get(os.uname().machine)
        if call is None:
            raise Failed("perf_event_open has an unknown number on this machine")
        connection = device[0] << 20 | device[1]
        attribute = struct.pack("<IIQQQQQ", TYPE_TRACEPOINT, ATTRIBUTE_SIZE, number, 0, 0, 0, DISABLED)
        attribute = ctypes.create_string_buffer(attribute.ljust(ATTRIBUTE_SIZE, b"\0"), ATTRIBUTE_SIZE)
        self.events = []
        for kind in KINDS:
            text = f"connection == {connection} && opcode == {kind}".encode() + b"\0"
            for cpu in range(os.cpu_count()):
                event = libc.syscall(call, attribute, -1, cpu, -1, CLOSE_ON_EXEC)
                if event < 0:
                    if ctypes.get_errno() == errno.ENODEV:  # the CPU is off
                        continue
                    self.close()
                    raise Failed(f"perf_event_open: {os.strerror(ctypes.get_errno())}")
                self.events.append((kind, event))
                pointer = ctypes.create_string_buffer(text)
                if libc.ioctl(event, ctypes.c_ulong(SET_FILTER), pointer) != 0:
                    error = ctypes.get_errno()
                    self.close()
                    raise Failed(f"perf event's filter: {os.strerror(error)}")

    def start(self):
        for _, event in self.events:
            fcntl.ioctl(event, RESET)
            fcntl.ioctl(event, ENABLE)

    def stop(self):
        """{kind: requests since start()}, without those that were not sent."""
        counts = {}
        for kind, event in self.events:
            fcntl.ioctl(event, DISABLE)
            (count,) = struct.unpack("<Q", os.read(event, 8))
            if count:
                counts[KINDS[kind]] = counts.get(KINDS[kind], 0) + count
        return counts

    def close(self):
        for _, event in self.events:
            os.close(event)
        self.events = []
