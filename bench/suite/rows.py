"""The rows: what each is called, in which unit it is measured, and what mica promises for it.

A row is named `workload` or, where the number of layers is part of it, `workload/layers`."""

from dataclasses import dataclass

SECONDS = {"s": 1.0, "ms": 1e3, "µs": 1e6}


@dataclass(frozen=True)
class Row:
    title: str
    unit: str
    # The system whose cost is 1. None: the value itself is what counts.
    base: str | None = "overlayfs"


@dataclass(frozen=True)
class Promise:
    """Ratios to the row's base (or values, without one) that mica does not exceed on each transport."""

    io_uring: float
    dev: float


ROWS = {
    "lookup": Row("lookup of existing paths, lower warm", "µs"),
    "lookup-cold": Row("lookup of existing paths, all caches cold", "µs"),
    "lookup-again": Row("lookup of existing paths, again", "µs"),
    "absent": Row("lookup of absent paths, lower warm", "µs"),
    "absent-rare": Row("lookup of an absent name in the root each millisecond", "µs"),
    "absent-cold": Row("lookup of absent paths, all caches cold", "µs"),
    "walk-cold": Row("walk (readdir and lstat of everything), cold", "ms"),
    "walk": Row("walk, lower warm", "ms"),
    "walk-again": Row("walk, second pass", "ms"),
    "daemon-memory": Row("memory of the daemon after the walk", "MB", None),
    "daemon-descriptors": Row("descriptors of the daemon after the walk", "", None),
    "mount": Row("mount to first ls", "ms"),
    "walks4-cold": Row("four walks at once, cold", "ms"),
    "walks4": Row("four walks at once, lower warm", "ms"),
    "read-cold": Row("read of all files (open, read, close), cold", "µs"),
    "read-again": Row("read of all files, second pass", "µs"),
    "page-cache": Row("page cache used by reading all files, per byte of them", "×"),
    "stream": Row("1 GiB sequential read, lower cached", "ms"),
    "stream-again": Row("1 GiB sequential read, second pass", "ms"),
    "random-read": Row("random 4 KiB read of 256 MiB, lower cached", "µs"),
    "random-read-again": Row("random 4 KiB read of 256 MiB, second pass", "µs"),
    "map": Row("mmap read of 256 MiB, lower cached", "ms"),
    "map-again": Row("mmap read of 256 MiB, second pass", "ms"),
    "write": Row("sequential write of 256 MiB", "ms"),
    "random-write": Row("random 4 KiB write", "µs"),
    "create": Row("create in the upper", "µs"),
    "mkdir": Row("mkdir in the upper", "µs"),
    "symlink": Row("symlink in the upper", "µs"),
    "link": Row("link in the upper", "µs"),
    "stat": Row("stat of upper files", "µs"),
    "chmod": Row("chmod of upper files", "µs"),
    "rename": Row("rename of upper files", "µs"),
    "unlink": Row("unlink of upper files", "µs"),
    "rmdir": Row("rmdir of upper directories", "µs"),
    "unlink-lower": Row("unlink of lower files", "µs"),
    "rm-lower": Row("rm -rf of a lower directory", "ms"),
    "create-over": Row("create where a lower file was deleted", "µs"),
    "mkdir-over": Row("mkdir where a lower directory was deleted", "µs"),
    "renew": Row("unlink of a lower file, create and write 100 bytes", "µs"),
    "put": Row("create, write 100 bytes, close", "µs"),
    "stat-written": Row("stat of what was written, first", "µs"),
    "stat-written-again": Row("stat of what was written, second", "µs"),
    "list-written": Row("ls -l of 2,000 written files", "ms"),
    "copy-written": Row("cp -a of 2,000 written files", "ms"),
    "append": Row("append of 80 bytes to a log", "µs"),
    "write-blocks": Row("write of 4 KiB to a new file", "µs"),
    "churn": Row("create and unlink", "µs"),
    "churn-clients": Row("create and unlink by four clients in directories of their own", "µs"),
    "lookup-clients": Row("lookup of existing paths by two clients, lower warm", "µs"),
    "churn-busy": Row("create and unlink, two programs compute", "µs"),
    "churn-slowest": Row("create and unlink, two programs compute, slowest thousandth", "ms"),
    "absent-busy": Row("lookup of absent names, two programs compute", "µs"),
    "wide-ls": Row("ls of a lower directory of 100,000 files", "ms"),
    "wide-status": Row("ls -l of it", "ms"),
    "wide-rm": Row("rm -rf of it", "ms"),
    "links": Row("ls -l of 20,000 lower files with two names each", "ms"),
    "mount-changed": Row("mount of an upper with 100,000 changed files, to first ls", "ms"),
    "mount-renamed": Row("the same with 100 renamed lower directories", "ms", None),
    "copyup-4k": Row("copy-up by a first write, 4 KiB", "µs"),
    "copyup-1m": Row("copy-up by a first write, 1 MiB", "µs"),
    "copyup-256m": Row("copy-up by a first write, 256 MiB", "ms"),
    "chmod-256m": Row("chmod of a 256 MiB lower file", "ms"),
    "untar": Row("unpack of a tar of 5,300 entries", "ms"),
    "rm-untarred": Row("rm -rf of what was unpacked", "ms"),
    "git-clone": Row("git clone", "ms"),
    "git-status": Row("git status that reads all files, first", "ms"),
    "git-status-again": Row("git status that reads all files, second", "ms"),
    "git-status-older": Row("git status that reads no file", "ms"),
    "git-status-fresh": Row("git status that reads no file, on a fresh mount", "ms"),
    "compile": Row("compile of a C project, first", "ms"),
    "compile-again": Row("compile of a C project, second", "ms"),
    "dpkg-install": Row("dpkg install in a chroot", "ms"),
    "dpkg-purge": Row("dpkg purge in a chroot", "ms"),
    "python": Row("python import of 40 modules, first", "ms"),
    "python-again": Row("python import of 40 modules, second", "ms"),
    "load": Row("load of the image", "s", "umoci unpack"),
    "load-memory": Row("load of the image, peak memory", "MB", "umoci unpack"),
    "load-disk": Row("load of the image, disk", "MB", "umoci unpack"),
    "commit": Row("commit of 1,000 changed files", "ms", "podman commit"),
    "run": Row("run --rm true", "ms", "runc run"),
}

PROMISES = {
    "lookup/20": Promise(1.5, 3),
    "lookup/120": Promise(0.7, 1.5),
    "lookup-cold/20": Promise(0.5, 0.7),
    "lookup-cold/120": Promise(0.2, 0.3),
    "absent/20": Promise(1.5, 3),
    "absent-cold/20": Promise(0.5, 0.7),
    "walk-cold/20": Promise(0.6, 0.8),
    "walk/20": Promise(1.0, 1.5),
    "walk-again/20": Promise(0.9, 0.9),
    "walk/120": Promise(0.3, 0.3),
    "daemon-memory/20": Promise(20, 20),
    "daemon-descriptors/20": Promise(40, 40),
    "mount/120": Promise(2, 2),
    "walks4-cold": Promise(0.6, 0.8),
    "walks4": Promise(1.0, 1.5),
    "read-cold": Promise(0.7, 0.9),
    "read-again": Promise(1.0, 1.0),
    "page-cache": Promise(1.05, 1.05),
    "stream": Promise(1.1, 1.1),
    "stream-again": Promise(1.05, 1.05),
    "random-read": Promise(1.1, 1.1),
    "map": Promise(1.1, 1.1),
    "write": Promise(1.1, 1.1),
    "random-write": Promise(1.1, 1.1),
    "create": Promise(2.0, 4),
    "mkdir": Promise(2.0, 4),
    "symlink": Promise(2.0, 4),
    "link": Promise(2.0, 4),
    "stat": Promise(1.0, 1.0),
    "chmod": Promise(4, 6),
    "rename": Promise(2.5, 5),
    "unlink": Promise(2.5, 5),
    "rmdir": Promise(2.5, 5),
    "unlink-lower": Promise(2.0, 4),
    "rm-lower": Promise(2.0, 4),
    "create-over": Promise(2.5, 3),
    "mkdir-over": Promise(2.5, 3),
    "lookup-clients": Promise(1.5, 2.5),
    "copyup-4k": Promise(0.3, 0.3),
    "copyup-1m": Promise(0.2, 0.2),
    "copyup-256m": Promise(0.01, 0.01),
    "chmod-256m": Promise(0.01, 0.01),
    "untar": Promise(2.0, 3),
    "rm-untarred": Promise(2.0, 3),
    "git-clone": Promise(1.6, 2.5),
    "git-status": Promise(0.6, 0.8),
    "git-status-again": Promise(1.0, 1.0),
    "compile": Promise(1.1, 1.3),
    "compile-again": Promise(1.05, 1.1),
    "dpkg-install": Promise(1.5, 2.0),
    "dpkg-purge": Promise(2.0, 3),
    "python": Promise(1.0, 1.3),
    "python-again": Promise(1.0, 1.0),
    "load": Promise(0.25, 0.25),
    "commit": Promise(0.2, 0.2),
    "run": Promise(1.0, 1.0),
}


def row_of(name):
    """What is known of `workload` or `workload/layers`."""
    return ROWS[name.partition("/")[0]]


def title_of(name):
    workload, _, layers = name.partition("/")
    title = ROWS[workload].title
    return f"{title}, {layers} layers" if layers else title
