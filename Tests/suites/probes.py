"""The questions that `semantics` asks of a mount. A probe answers in a word or two, or raises Mismatch or OSError,
whose name is then the answer."""

import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Callable

libc = ctypes.CDLL(None, use_errno=True)
ROWS = []
STACKED = ("overlayfs", "fuse-overlayfs", "image", "stack")
YES = "yes"


class Mismatch(Exception):
    pass


@dataclass(eq=False)
class Row:
    section: str
    text: str
    probe: Callable
    lower: Callable
    kinds: tuple = field(default=())


section = ""


def row(text, lower=lambda root: None, kinds=()):
    def declare(probe):
        ROWS.append(Row(section, text, probe, lower, kinds))
        return probe

    return declare


def check(condition, otherwise="no"):
    if not condition:
        raise Mismatch(otherwise)


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def cbytes(path):
    return os.fsencode(str(path))


def write(path, data=b"old\n"):
    path.write_bytes(data)


def errno_of(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "works"


def failures(named):
    """`all`, or which of the pieces of work fail, and how."""
    failed = []
    for name, work in named.items():
        outcome = errno_of(work)
        if outcome != "works":
            failed.append(f"{name} {outcome}")
    return "all" if not failed else "not " + ", ".join(failed)


def as_user(work, uid=1234, gid=1234, groups=()):
    """What `work` answers in a process of that user."""
    read, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
        try:
            answer = str(work())
        except Mismatch as error:
            answer = str(error)
        except OSError as error:
            answer = errno.errorcode[error.errno]
        os.write(end, answer.encode())
        os._exit(0)
    os.close(end)
    answer = os.read(read, 1000).decode()
    os.close(read)
    os.waitpid(child, 0)
    return answer


def renameat2(old, new, flags):
    checked(libc.renameat2(-100, cbytes(old), -100, cbytes(new), flags))


NOREPLACE, EXCHANGE = 1, 2


def size_of(number):
    return f"{number >> 20} MiB" if number >= 1 << 20 else f"{(number + 1023) >> 10} KiB" if number else "nothing"


# --------------------------------------------------------------------------------------------------------------
section = "Lookup and listing"


@row("names of 255 bytes, of any bytes", lambda root: write(root / ("l" * 255)))
def _(stand):
    for name in (b"n" * 255, b"\xff\xfe\n\x01", b"a\\b"):
        path = os.path.join(cbytes(stand.root), name)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        check(name in os.listdir(cbytes(stand.root)))
    os.unlink(stand.root / ("l" * 255))
    return YES


@row("a name of 256 bytes")
def _(stand):
    return errno_of(lambda: os.stat(stand.root / ("n" * 256)))


def some_names(root):
    (root / "d").mkdir()
    for name in "abc":
        write(root / "d" / name)


@row("a merged directory lists each name once, `.` and `..` too", some_names)
def _(stand):
    for name in "bcd":
        write(stand.root / "d" / name)
    os.unlink(stand.root / "d/a")
    names = [entry[0] for entry in entries(stand.root / "d")]
    check(sorted(names) == [b".", b"..", b"b", b"c", b"d"], f"{len(names)} of 5")
    return YES


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_uint16),
                ("type", ctypes.c_uint8), ("name", ctypes.c_char * 256)]


libc.opendir.restype = ctypes.c_void_p
libc.opendir.argtypes = [ctypes.c_char_p]
libc.readdir.restype = ctypes.POINTER(Dirent)
libc.readdir.argtypes = libc.closedir.argtypes = libc.telldir.argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]


def entries(path):
    """[(name, d_ino, d_type)]"""
    directory = libc.opendir(cbytes(path))
    check(directory)
    found = []
    while entry := libc.readdir(directory):
        found.append((entry.contents.name, entry.contents.ino, entry.contents.type))
    libc.closedir(directory)
    return found


def many(root):
    (root / "d").mkdir()
    for number in range(3000):
        os.close(os.open(root / f"d/{number:05}", os.O_CREAT | os.O_WRONLY))


@row("a listing during creates and unlinks: what was not touched is there, once", many)
def _(stand):
    stop = threading.Event()

    def churn():
        number = 0
        while not stop.is_set():
            write(stand.root / f"d/new{number}")
            os.unlink(stand.root / f"d/new{number}")
            number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(20):
            names = [e[0] for e in entries(stand.root / "d") if not e[0].startswith((b"new", b"."))]
            check(len(names) == len(set(names)), "doubled")
            check(len(names) == 3000, "lost")
    finally:
        stop.set()
        thread.join()
    return YES


@row("seekdir goes back to where telldir was", many)
def _(stand):
    write(stand.root / "d/upper")
    directory = libc.opendir(cbytes(stand.root / "d"))
    for _ in range(100):
        libc.readdir(directory)
    place = libc.telldir(directory)
    expected = libc.readdir(directory).contents.name
    for _ in range(1500):
        libc.readdir(directory)
    libc.seekdir(directory, place)
    check(libc.readdir(directory).contents.name == expected)
    libc.closedir(directory)
    return YES


def each_name(directory, change):
    """Names that a loop is handed which does something to each of them."""
    os.chdir(directory)
    seen = []
    with os.scandir() as listing:
        for entry in listing:
            if entry.name != "elsewhere":
                seen.append(entry.name)
                change(entry.name)
            if len(seen) > 60000:
                raise Mismatch("never")
    return seen


def lower_and_new(stand):
    """Two directories, and the names in them."""
    (stand.root / "new").mkdir()
    names = {f"{number:05}" for number in range(500)}
    for name in names:
        write(stand.root / "new" / name)
    return (stand.root / "d", {f"{number:05}" for number in range(3000)}), (stand.root / "new", names)


def replace(name):
    write(pathlib.Path("elsewhere"))
    os.rename("elsewhere", name)


def away_and_back(name):
    os.rename(name, "elsewhere")
    os.rename("elsewhere", name)


def make_again(name):
    os.unlink(name)
    write(pathlib.Path(name))


@row("a loop that renames each name it is handed ends", many)
def _(stand):
    for directory, names in lower_and_new(stand):
        check(names <= set(each_name(directory, lambda name: os.rename(name, name + ".bak"))), "names are left out")
    return YES


@row("… and one that replaces them, renames them away and back, makes them again is handed each once", many)
def _(stand):
    for directory, names in lower_and_new(stand):
        for change in replace, away_and_back, make_again:
            seen = each_name(directory, change)
            check(set(seen) == names, "names are left out")
            check(len(seen) == len(names), f"{change.__name__.replace('_', ' ')}: {len(seen)} for {len(names)}")
    return YES


@row("`st_ino` stays at a remount", some_names)
def _(stand):
    os.sync()
    before = [os.stat(stand.root / f"d/{name}").st_ino for name in "abc"]
    stand.remount()
    # Another order of looking at them.
    after = [os.stat(stand.root / f"d/{name}").st_ino for name in "cba"][::-1]
    check(before == after)
    return YES


@row("`st_ino` stays at a copy-up, also after a remount", some_names)
def _(stand):
    path = stand.root / "d/a"
    before = os.stat(path).st_ino
    with open(path, "ab") as file:
        file.write(b"new")
    check(os.stat(path).st_ino == before)
    stand.remount()
    check(os.stat(path).st_ino == before, "not after a remount")
    return YES


@row("`d_ino` is `st_ino`", some_names)
def _(stand):
    write(stand.root / "d/b")
    write(stand.root / "d/new")
    for name, number, _ in entries(stand.root / "d"):
        if name not in (b".", b".."):
            check(os.stat(stand.root / "d" / name.decode()).st_ino == number)
    return YES


@row("`st_dev` is one", some_names)
def _(stand):
    write(stand.root / "new")
    check(len({os.stat(stand.root / name).st_dev for name in (".", "d", "d/a", "new")}) == 1)
    return YES


@row("`st_nlink` of a directory counts its subdirectories", lambda root: (root / "d/e").mkdir(parents=True))
def _(stand):
    (stand.root / "d/f").mkdir()
    links = os.stat(stand.root / "d").st_nlink
    return YES if links == 4 else f"{links} for 4"


@row("`statfs` is that of the upper filesystem")
def _(stand):
    check(os.statvfs(stand.root).f_blocks == os.statvfs(stand.base).f_blocks)
    return YES


# --------------------------------------------------------------------------------------------------------------
section = "Copy-up"


def decorated(root):
    path = root / "d/file"
    path.parent.mkdir()
    write(path, b"contents")
    os.setxattr(path, "user.colour", b"blue")
    subprocess.run(["setfacl", "-m", "u:1234:r", path], check=True)
    os.chown(path, 1000, 1001)
    os.chmod(path, 0o640)
    os.setxattr(path, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    os.utime(path, ns=(1_000_000_000_123_456_789, 1_111_111_111_987_654_321))
    os.chmod(path.parent, 0o751)
    os.utime(path.parent, ns=(1_000_000_000_000_000_001, 1_222_222_222_000_000_002))


@row("keeps owner, mode, times, xattrs, ACL, capability", decorated)
def _(stand):
    path = stand.root / "d/file"

    def facts():
        status = os.stat(path)
        xattrs = {name: os.getxattr(path, name) for name in sorted(os.listxattr(path))}
        return status.st_uid, status.st_gid, status.st_mode, status.st_mtime_ns, xattrs

    before = facts()
    os.setxattr(path, "user.new", b"1")
    os.removexattr(path, "user.new")
    check(facts() == before)
    stand.remount()
    check(facts() == before, "not after a remount")
    return YES


@row("parents come along with mode and time", decorated, STACKED)
def _(stand):
    os.setxattr(stand.root / "d/file", "user.new", b"1")
    status = os.stat(stand.upper / "d")
    check(stat.S_IMODE(status.st_mode) == 0o751, "not the mode")
    check(status.st_mtime_ns == 1_222_222_222_000_000_002, "not the time")
    return YES


STATX = struct.Struct("IIQIIIHxxQQQQ" + "qIi" * 4)
TIMES = ("atime", "btime", "ctime", "mtime")


def statx(path):
    """All of what statx(2) says but the device, asked of whoever knows it and not of a cache."""
    buffer = ctypes.create_string_buffer(256)
    checked(libc.statx(-100, cbytes(path), 0x100 | 0x2000, 0xFFF, buffer))  # NOFOLLOW, FORCE_SYNC
    mask, _, _, nlink, uid, gid, mode, ino, size, blocks, _, *times = STATX.unpack_from(buffer.raw)
    facts = dict(nlink=nlink, uid=uid, gid=gid, mode=mode, ino=ino, size=size, blocks=blocks)
    facts |= {name: (times[3 * i], times[3 * i + 1]) for i, name in enumerate(TIMES)}
    if not mask & 0x800:
        del facts["btime"]
    return facts


@row("nothing that stat says of the directory above changes", decorated, STACKED)
def _(stand):
    before = statx(stand.root / "d")
    os.setxattr(stand.root / "d/file", "user.new", b"1")
    after = statx(stand.root / "d")
    return ", ".join(f"{name} does" for name in before if before[name] != after.get(name)) or YES


def sparse(root):
    with open(root / "sparse", "wb") as file:
        file.write(b"x")
        file.truncate(64 << 20)


@row("keeps holes: 64 MiB of them take on the disk", sparse)
def _(stand):
    with open(stand.root / "sparse", "r+b") as file:
        file.write(b"y")
        os.fsync(file.fileno())
    real = (stand.upper or stand.root) / "sparse"
    return size_of(os.stat(real).st_blocks * 512)


def large(root):
    write(root / "large", os.urandom(1 << 20) * 16)


for _name, _change in {
    "chmod": lambda path: os.chmod(path, 0o600),
    "chown": lambda path: os.chown(path, 1, 2),
    "utimes": lambda path: os.utime(path, (1, 2)),
    "setxattr": lambda path: os.setxattr(path, "user.a", b"b"),
}.items():

    @row(f"{_name} of a 16 MiB file copies", large, STACKED)
    def _(stand, change=_change):
        change(stand.root / "large")
        with open(stand.root / "large", "rb") as file:
            check(len(file.read()) == 16 << 20, "loses data")
        os.sync()
        copy = stand.upper / "large"
        return size_of(os.stat(copy).st_blocks * 512) if copy.exists() else "nothing"


def work_of(stand):
    return stand.upper.parent / "work"


@row("eight writers of one lower file at once: all writes are kept", large)
def _(stand):
    def work(number):
        with open(stand.root / "large", "r+b", buffering=0) as file:
            file.seek(number << 20)
            file.write(bytes([number]) * (1 << 20))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = (stand.root / "large").read_bytes()
    check(len(data) == 16 << 20)
    check(all(data[n << 20 : (n + 1) << 20] == bytes([n]) * (1 << 20) for n in range(8)))
    return YES


# --------------------------------------------------------------------------------------------------------------
section = "Hard links"


def linked(root):
    write(root / "a")
    os.link(root / "a", root / "b")


@row("the names of a lower file stay one file when it is written", linked)
def _(stand):
    write(stand.root / "a", b"new")
    check((stand.root / "b").read_bytes() == b"new")
    return YES


@row("… also after a remount", linked)
def _(stand):
    write(stand.root / "a", b"new")
    stand.remount()
    check((stand.root / "b").read_bytes() == b"new")
    check(os.path.samefile(stand.root / "a", stand.root / "b"), "same data, two files")
    return YES


@row("link(2) of a lower file: `st_nlink`, and one file after a remount", lambda root: write(root / "a"))
def _(stand):
    os.link(stand.root / "a", stand.root / "b")
    check(os.stat(stand.root / "a").st_nlink == 2, "wrong count")
    stand.remount()
    write(stand.root / "b", b"new")
    check((stand.root / "a").read_bytes() == b"new")
    return YES


@row("`st_nlink` counts what is visible", linked)
def _(stand):
    check(os.stat(stand.root / "a").st_nlink == 2)
    os.unlink(stand.root / "b")
    links = os.stat(stand.root / "a").st_nlink
    return YES if links == 1 else f"{links} for 1"


# --------------------------------------------------------------------------------------------------------------
section = "Rename"


def directories(root):
    (root / "d/sub").mkdir(parents=True)
    write(root / "d/sub/file")
    write(root / "d/other")
    (root / "empty").mkdir()


@row("a directory of the lower layer", directories)
def _(stand):
    os.rename(stand.root / "d", stand.root / "moved")
    check((stand.root / "moved/sub/file").read_bytes() == b"old\n")
    check(not (stand.root / "d").exists())
    return "works"


@row("… and after a remount", directories)
def _(stand):
    os.rename(stand.root / "d", stand.root / "moved")
    write(stand.root / "moved/sub/new")
    stand.remount()
    check(not (stand.root / "d").exists(), "the old name is back")
    check(sorted(os.listdir(stand.root / "moved/sub")) == ["file", "new"], "contents differ")
    return "works"


@row("a file over a lower one, a directory over an empty one", directories)
def _(stand):
    write(stand.root / "new", b"new")
    os.rename(stand.root / "new", stand.root / "d/other")
    check((stand.root / "d/other").read_bytes() == b"new")
    (stand.root / "fresh").mkdir()
    os.rename(stand.root / "fresh", stand.root / "empty")
    check(errno_of(lambda: os.rename(stand.root / "empty", stand.root / "d")) == "ENOTEMPTY", "over a full one")
    return "works"


@row("RENAME_NOREPLACE onto a deleted lower name", directories)
def _(stand):
    os.unlink(stand.root / "d/other")
    write(stand.root / "new")
    renameat2(stand.root / "new", stand.root / "d/other", NOREPLACE)
    check(errno_of(lambda: renameat2(stand.root / "d/other", stand.root / "d/sub/file", NOREPLACE)) == "EEXIST")
    return "works"


@row("RENAME_EXCHANGE of a lower file and a new one", directories)
def _(stand):
    write(stand.root / "new", b"new")
    renameat2(stand.root / "new", stand.root / "d/other", EXCHANGE)
    check((stand.root / "new").read_bytes() == b"old\n" and (stand.root / "d/other").read_bytes() == b"new")
    return "works"


@row("RENAME_EXCHANGE of two lower directories, and after a remount", directories)
def _(stand):
    renameat2(stand.root / "d", stand.root / "empty", EXCHANGE)
    stand.remount()
    check(os.listdir(stand.root / "d") == [], "contents differ")
    check(sorted(os.listdir(stand.root / "empty")) == ["other", "sub"], "contents differ")
    return "works"


@row("a directory over an emptied lower one: nothing deleted is back after a remount", directories)
def _(stand):
    os.unlink(stand.root / "d/sub/file")
    (stand.root / "new").mkdir()
    write(stand.root / "new/new")
    os.rename(stand.root / "new", stand.root / "d/sub")
    stand.remount()
    check(os.listdir(stand.root / "d/sub") == ["new"], "it is back")
    return YES


@row("a file that is open: what is written goes along", directories)
def _(stand):
    with open(stand.root / "d/other", "r+b", buffering=0) as file:
        os.rename(stand.root / "d/other", stand.root / "moved")
        file.write(b"new!")
    check((stand.root / "moved").read_bytes() == b"new!")
    return YES


# --------------------------------------------------------------------------------------------------------------
section = "Delete"


@row("rmdir of a merged directory: when it looks empty, and only then", directories)
def _(stand):
    check(errno_of(lambda: os.rmdir(stand.root / "d/sub")) == "ENOTEMPTY")
    os.unlink(stand.root / "d/sub/file")
    os.rmdir(stand.root / "d/sub")
    check(not (stand.root / "d/sub").exists())
    return YES


@row("a directory deleted and made again is empty, also after a remount", directories)
def _(stand):
    shutil.rmtree(stand.root / "d")
    (stand.root / "d").mkdir()
    check(os.listdir(stand.root / "d") == [])
    stand.remount()
    check(os.listdir(stand.root / "d") == [], "not after a remount")
    return YES


@row("a file, a directory, a link made where something was deleted", directories)
def _(stand):
    for make in (write, lambda path: path.mkdir(), lambda path: path.symlink_to("x")):
        path = stand.root / "d/other"
        os.unlink(path) if not path.is_dir() or path.is_symlink() else os.rmdir(path)
        make(path)
    return YES


@row("the unlink of a new file leaves a whiteout behind", kinds=STACKED)
def _(stand):
    write(stand.root / "new")
    os.unlink(stand.root / "new")
    return YES if os.listdir(stand.upper) else "no"


# --------------------------------------------------------------------------------------------------------------
section = "Open files"


def one(root):
    write(root / "file")


@row("after unlink: read, write, ftruncate, fchmod, fchown, fstat, fsync, fsetxattr", one)
def _(stand):
    file = os.open(stand.root / "file", os.O_RDWR)
    os.unlink(stand.root / "file")
    return failures({
        "read": lambda: os.read(file, 4),
        "write": lambda: os.write(file, b"x"),
        "ftruncate": lambda: os.ftruncate(file, 100),
        "fchmod": lambda: os.fchmod(file, 0o600),
        "fchown": lambda: os.fchown(file, 1, 1),
        "fstat": lambda: os.fstat(file),
        "fsync": lambda: os.fsync(file),
        "fsetxattr": lambda: os.setxattr(file, "user.a", b"b"),
    })


@row("`st_nlink` of an open file that was unlinked", one)
def _(stand):
    file = os.open(stand.root / "file", os.O_RDWR)
    os.unlink(stand.root / "file")
    return os.fstat(file).st_nlink


@row("open for reading, then written through another descriptor: the first one reads", one)
def _(stand):
    reader = os.open(stand.root / "file", os.O_RDONLY)
    check(os.read(reader, 4) == b"old\n")
    with open(stand.root / "file", "r+b") as file:
        file.write(b"new\n")
    return "the new data" if os.pread(reader, 4, 0) == b"new\n" else "the old data"


@row("… and the lower layer is unchanged", one, STACKED)
def _(stand):
    reader = os.open(stand.root / "file", os.O_RDONLY)
    with open(stand.root / "file", "r+b") as file:
        file.write(b"new\n")
    os.close(reader)
    if stand.kind == "image":
        stand.unmount()
        stand.run("mount", "probe:1", stand.root)
        check((stand.root / "file").read_bytes() == b"old\n", "no: it has the new data")
        return YES
    check((stand.lower / "file").read_bytes() == b"old\n", "no: it has the new data")
    return YES


def reader_and_writer(stand):
    reader = os.open(stand.root / "file", os.O_RDONLY)
    shown = mmap.mmap(reader, 4, prot=mmap.PROT_READ)
    check(shown[:] == b"old\n")
    watch = libc.inotify_init1(os.O_NONBLOCK)
    checked(libc.inotify_add_watch(watch, cbytes(stand.root / "file"), 2))  # IN_MODIFY
    fcntl.flock(reader, fcntl.LOCK_SH)
    writer = os.open(stand.root / "file", os.O_RDWR)
    failed = []

    def expect(what, condition):
        if not condition:
            failed.append(what)

    def is_kept_out():
        return errno_of(lambda: fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)) == "EAGAIN"

    expect("locks", is_kept_out())
    os.pwrite(writer, b"new\n", 0)
    expect("data", os.pread(reader, 4, 0) == b"new\n")
    expect("mapping", shown[:] == b"new\n")
    expect("inotify", errno_of(lambda: os.read(watch, 100)) == "works")
    expect("locks after the write", is_kept_out())
    os.ftruncate(writer, 2)
    expect("size", os.fstat(reader).st_size == 2)
    shown.close()
    return "not " + ", ".join(failed) if failed else "all"


@row("open for reading at another process's first write: data, mapping, size, locks, inotify are the writer's", one)
def _(stand):
    return reader_and_writer(stand)


@row("… with `io=passthrough`", one, ("image", "stack"))
def _(stand):
    stand.unmount()
    stand.options = ",io=passthrough"
    stand.mount()
    return reader_and_writer(stand)


@row("O_APPEND from two processes: no line is lost", one)
def _(stand):
    path = stand.root / "file"
    children = []
    for letter in b"ab":
        if (child := os.fork()) == 0:
            file = os.open(path, os.O_WRONLY | os.O_APPEND)
            for _ in range(500):
                os.write(file, bytes([letter]) * 9 + b"\n")
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    lines = path.read_bytes().splitlines()
    check(len(lines) == 1001, f"{1001 - len(lines)} of 1001 lost")
    return YES


@row("O_TMPFILE, and linkat of it")
def _(stand):
    file = os.open(stand.root, os.O_TMPFILE | os.O_RDWR, 0o644)
    os.write(file, b"temporary")
    AT_SYMLINK_FOLLOW = 0x400
    checked(libc.linkat(-100, f"/proc/self/fd/{file}".encode(), -100, cbytes(stand.root / "name"), AT_SYMLINK_FOLLOW))
    check((stand.root / "name").read_bytes() == b"temporary")
    return "works"


@row("O_DIRECT", large)
def _(stand):
    file = os.open(stand.root / "large", os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, 4096)
    check(os.preadv(file, [buffer], 4096) == 4096)
    buffer[:] = b"d" * 4096
    check(os.pwritev(file, [buffer], 0) == 4096)
    check((stand.root / "large").read_bytes()[:4096] == b"d" * 4096)
    return "works"


@row("a shared mapping and write(2) see each other", one)
def _(stand):
    path = stand.root / "file"
    write(path, b"0" * 8192)
    file = os.open(path, os.O_RDWR)
    view = mmap.mmap(file, 8192)
    os.pwrite(file, b"written", 10)
    check(view[10:17] == b"written")
    view[5000:5006] = b"mapped"
    check(os.pread(file, 6, 5000) == b"mapped")
    view.flush()
    stand_in = path.read_bytes()
    check(stand_in[10:17] == b"written" and stand_in[5000:5006] == b"mapped")
    return YES


@row("a mapping of a lower file sees what is written later", one)
def _(stand):
    reader = os.open(stand.root / "file", os.O_RDONLY)
    view = mmap.mmap(reader, 4, prot=mmap.PROT_READ)
    check(view[:] == b"old\n")
    with open(stand.root / "file", "r+b") as file:
        file.write(b"new\n")
    return YES if view[:] == b"new\n" else "no"


def program(root):
    shutil.copy("/bin/sleep", root / "sleep")


@row("writing to a program that runs", program)
def _(stand):
    child = subprocess.Popen([stand.root / "sleep", "1000"])
    try:
        # What is in /proc says when execve(2) is over.
        while os.path.basename(os.readlink(f"/proc/{child.pid}/exe")) != "sleep":
            pass
        return errno_of(lambda: os.close(os.open(stand.root / "sleep", os.O_WRONLY)))
    finally:
        child.kill()
        child.wait()


def fallocate(file, mode, offset, length):
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    checked(libc.fallocate(file, mode, offset, length))


@row("fallocate: allocate, keep size, punch, zero, collapse, insert", large)
def _(stand):
    file = os.open(stand.root / "large", os.O_RDWR)
    return failures({
        "allocate": lambda: fallocate(file, 0, 0, 17 << 20),
        "keep size": lambda: fallocate(file, 1, 17 << 20, 1 << 20),
        "punch": lambda: fallocate(file, 3, 0, 1 << 20),
        "zero": lambda: fallocate(file, 16, 1 << 20, 1 << 20),
        "collapse": lambda: fallocate(file, 8, 0, 1 << 20),
        "insert": lambda: fallocate(file, 32, 0, 1 << 20),
    })


def holed(root):
    with open(root / "file", "wb") as file:
        file.write(b"x" * 4096)
        file.truncate(1 << 20)
        file.seek(1 << 19)
        file.write(b"y" * 4096)


@row("SEEK_HOLE and SEEK_DATA find the holes of a lower file", holed)
def _(stand):
    file = os.open(stand.root / "file", os.O_RDONLY)
    check(os.lseek(file, 0, os.SEEK_HOLE) == 4096, "no holes")
    check(os.lseek(file, 4096, os.SEEK_DATA) == 1 << 19, "no holes")
    return YES


@row("… and of a changed one", holed)
def _(stand):
    file = os.open(stand.root / "file", os.O_RDWR)
    os.write(file, b"z")
    check(os.lseek(file, 0, os.SEEK_HOLE) == 4096, "no holes")
    check(os.lseek(file, 4096, os.SEEK_DATA) == 1 << 19, "no holes")
    return YES


@row("copy_file_range", large)
def _(stand):
    source = os.open(stand.root / "large", os.O_RDONLY)
    target = os.open(stand.root / "copy", os.O_RDWR | os.O_CREAT)
    check(os.copy_file_range(source, target, 1 << 20, 1 << 19, 0) == 1 << 20)
    check(os.pread(target, 1 << 20, 0) == os.pread(source, 1 << 20, 1 << 19))
    return "works"


@row("a read after an overlapping write", large)
def _(stand):
    file = os.open(stand.root / "large", os.O_RDWR)
    expected = bytearray(os.pread(file, 65536, 0))
    for step in range(200):
        start, data = (step * 977) % 60000, os.urandom(4000)
        os.pwrite(file, data, start)
        expected[start : start + 4000] = data
        if os.pread(file, 64000, 0) != bytes(expected[:64000]):
            return "stale"
    return "fresh"


# --------------------------------------------------------------------------------------------------------------
section = "Attributes"


@row("xattrs user, trusted, security; trusted on a symbolic link", lambda r: (one(r), (r / "link").symlink_to("x")))
def _(stand):
    path = stand.root / "file"
    return failures({
        "user": lambda: os.setxattr(path, "user.a", b"1"),
        "trusted": lambda: os.setxattr(path, "trusted.a", b"1"),
        "security": lambda: os.setxattr(path, "security.a", b"1"),
        "symlink": lambda: os.setxattr(stand.root / "link", "trusted.a", b"1", follow_symlinks=False),
    })


@row("their names are bytes of any kind", one)
def _(stand):
    path = stand.root / "file"
    names = [b"user.\xff", b"user.\xfe", "user.\u00e9".encode(), "user.e\u0301".encode()]
    for name in names:
        os.setxattr(path, name, name)
    check(all(os.getxattr(path, name) == name for name in names), "some are others")
    check(sorted(map(os.fsencode, os.listxattr(path))) == sorted(names), "not in the list")
    return YES


@row("the xattrs by which layers are stacked: seen in a directory that was made again", directories)
def _(stand):
    shutil.rmtree(stand.root / "d")
    (stand.root / "d").mkdir()
    seen = [name for name in os.listxattr(stand.root / "d") if "overlay" in name]
    return ", ".join(seen) or "none"


@row("… set inside the mount, and read back", directories)
def _(stand):
    os.setxattr(stand.root / "d", "trusted.overlay.opaque", b"y")
    check(os.getxattr(stand.root / "d", "trusted.overlay.opaque") == b"y", "not what was set")
    check(os.listdir(stand.root / "d"), "the directory is empty now")
    stand.remount()
    check(os.getxattr(stand.root / "d", "trusted.overlay.opaque") == b"y", "not what was set")
    check(os.listdir(stand.root / "d"), "the directory is empty after a remount")
    return "works"


def set_id(root):
    write(root / "file")
    os.chmod(root / "file", 0o6777)


@row("set-user-ID and set-group-ID bits are dropped by another user's write", set_id)
def _(stand):
    def work():
        file = os.open(stand.root / "file", os.O_WRONLY)
        os.write(file, b"x")
        os.close(file)
        return oct(stat.S_IMODE(os.stat(stand.root / "file").st_mode))

    mode = as_user(work)
    return YES if mode == "0o777" else mode


@row("… and by chown", set_id)
def _(stand):
    os.chown(stand.root / "file", 1, 1)
    mode = oct(stat.S_IMODE(os.stat(stand.root / "file").st_mode))
    return YES if mode == "0o777" else mode


@row("file capabilities are dropped by a write", decorated)
def _(stand):
    file = os.open(stand.root / "d/file", os.O_WRONLY)
    os.write(file, b"x")
    os.close(file)
    return "no" if "security.capability" in os.listxattr(stand.root / "d/file") else YES


def default_acl(root):
    (root / "d").mkdir()
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rw,g::r,o::-", root / "d"], check=True)


@row("a default ACL is inherited, and the umask left out for it", default_acl)
def _(stand):
    os.umask(0o077)
    os.close(os.open(stand.root / "d/new", os.O_CREAT | os.O_WRONLY, 0o666))
    acl = subprocess.run(["getfacl", "-cn", stand.root / "d/new"], capture_output=True, text=True).stdout
    check("user:1234:rw-" in acl, "not inherited")
    check(stat.S_IMODE(os.stat(stand.root / "d/new").st_mode) & 0o070, "not without the umask")
    return YES


@row("an ACL lets in whom the mode keeps out", decorated)
def _(stand):
    return as_user(lambda: YES if (stand.root / "d/file").read_bytes() else "no")


def sticky(root):
    (root / "d").mkdir()
    os.chmod(root / "d", 0o1777)
    write(root / "d/file")


@row("in a sticky directory, the unlink of another user's file", sticky)
def _(stand):
    return as_user(lambda: errno_of(lambda: os.unlink(stand.root / "d/file")))


def group_file(root):
    write(root / "file")
    os.chown(root / "file", 0, 4321)
    os.chmod(root / "file", 0o060)


@row("supplementary groups count", group_file)
def _(stand):
    return as_user(lambda: YES if (stand.root / "file").read_bytes() else "no", groups=(4321,))


def set_gid(root):
    (root / "d").mkdir()
    os.chown(root / "d", 0, 4321)
    os.chmod(root / "d", 0o2777)


@row("a set-group-id directory gives its group away", set_gid)
def _(stand):
    (stand.root / "d/sub").mkdir()
    write(stand.root / "d/file")
    check(os.stat(stand.root / "d/file").st_gid == 4321)
    check(os.stat(stand.root / "d/sub").st_mode & stat.S_ISGID, "not to directories")
    return YES


@row("RLIMIT_FSIZE", one)
def _(stand):
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    file = os.open(stand.root / "file", os.O_WRONLY)
    return errno_of(lambda: os.pwrite(file, b"x", 8192))


@row("reading changes the time of access (relatime)", one)
def _(stand):
    os.utime(stand.root / "file", (1, 2))
    (stand.root / "file").read_bytes()
    os.sync()
    return YES if os.stat(stand.root / "file").st_atime > 2 else "no"


@row("statx says when a new file was made", one)
def _(stand):
    write(stand.root / "new")
    return YES if "btime" in statx(stand.root / "new") else "no"


@row("… and of a lower one the same after its copy-up", one)
def _(stand):
    before = statx(stand.root / "file").get("btime")
    write(stand.root / "file", b"new")
    after = statx(stand.root / "file").get("btime")
    return "no" if after != before else "none" if after is None else YES


GETFLAGS, SETFLAGS, NODUMP, IMMUTABLE = 0x80086601, 0x40086602, 0x40, 0x10


def flags(path, change=lambda flags: flags):
    """The flags that lsattr shows, changed as chattr does it."""
    file = os.open(path, os.O_RDONLY)
    try:
        found = struct.unpack("I", fcntl.ioctl(file, GETFLAGS, b"\0" * 4))[0]
        if change(found) != found:
            fcntl.ioctl(file, SETFLAGS, struct.pack("I", change(found)))
        return found
    finally:
        os.close(file)


@row("lsattr and chattr: a flag is set, and there after a remount", one)
def _(stand):
    flags(stand.root / "file", lambda found: found | NODUMP)
    check(flags(stand.root / "file") & NODUMP, "not there")
    stand.remount()
    return YES if flags(stand.root / "file") & NODUMP else "not after a remount"


def immutable(root):
    one(root)
    flags(root / "file", lambda found: found | IMMUTABLE)


@row("writing to a file that is immutable in its layer", immutable)
def _(stand):
    try:
        return errno_of(lambda: write(stand.root / "file", b"new"))
    finally:
        flags((stand.lower or stand.root) / "file", lambda found: found & ~IMMUTABLE)


@row("setxattr on a symbolic link that points into its own mount")
def _(stand):
    write(stand.root / "target")
    (stand.root / "link").symlink_to(stand.root / "target")
    os.setxattr(stand.root / "link", "trusted.a", b"1", follow_symlinks=False)
    return "works"


# --------------------------------------------------------------------------------------------------------------
section = "Special files, locks, handles"


@row("a device on the mount can be opened")
def _(stand):
    os.mknod(stand.root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    file = os.open(stand.root / "null", os.O_RDWR)
    os.write(file, b"x")
    check(os.read(file, 1) == b"")
    return YES


@row("mknod of a character device 0:0, which is a whiteout to overlays", one)
def _(stand):
    os.mknod(stand.root / "white", stat.S_IFCHR, 0)
    check("white" in os.listdir(stand.root), "made, but not seen")
    stand.remount()
    check("white" in os.listdir(stand.root), "made, but not seen after a remount")
    return "works"


@row("chmod of a lower FIFO, and its use", lambda root: os.mkfifo(root / "fifo"))
def _(stand):
    os.chmod(stand.root / "fifo", 0o600)
    thread = threading.Thread(target=lambda: write(stand.root / "fifo", b"through"))
    thread.start()
    check((stand.root / "fifo").read_bytes() == b"through")
    thread.join()
    return "works"


@row("UNIX sockets")
def _(stand):
    os.chdir(stand.root)
    server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen()
    client.connect("socket")
    return "work"


@row("a symbolic link of 4095 bytes; ELOOP")
def _(stand):
    (stand.root / "long").symlink_to("x" * 4095)
    check(len(os.readlink(stand.root / "long")) == 4095)
    (stand.root / "loop").symlink_to("loop")
    check(errno_of(lambda: os.stat(stand.root / "loop")) == "ELOOP")
    return YES


@row("names that begin with `.wh.`", some_names)
def _(stand):
    write(stand.root / "d/.wh.a", b"data")
    check((stand.root / "d/.wh.a").read_bytes() == b"data" and (stand.root / "d/a").exists())
    stand.remount()
    check((stand.root / "d/a").exists(), "they delete, after a remount")
    check((stand.root / "d/.wh.a").exists(), "lost at a remount")
    return "work"


def conflict(take):
    """Whether what one process has locked another one cannot."""

    def probe(path):
        file = os.open(path, os.O_RDWR)
        take(file)
        child = os.fork()
        if child == 0:
            other = os.open(path, os.O_RDWR)
            os._exit(0 if errno_of(lambda: take(other)) in ("EAGAIN", "EACCES") else 1)
        status = os.waitpid(child, 0)[1]
        os.close(file)
        return status == 0

    return probe


@row("locks: flock, fcntl, OFD", one)
def _(stand):
    kinds = {
        "flock": lambda file: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB),
        "fcntl": lambda file: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB),
        "OFD": lambda file: fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)),
    }
    bad = [name for name, take in kinds.items() if not conflict(take)(stand.root / "file")]
    return "work" if not bad else "not " + ", ".join(bad)


@row("inotify", some_names)
def _(stand):
    watch = checked(libc.inotify_init1(os.O_NONBLOCK))
    checked(libc.inotify_add_watch(watch, cbytes(stand.root / "d"), 0xFFF))
    write(stand.root / "d/new")
    os.unlink(stand.root / "d/a")
    events = os.read(watch, 65536)
    check(b"new" in events and b"a\0" in events, "events are missing")
    return "works"


@row("name_to_handle_at and open_by_handle_at", one)
def _(stand):
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    mount = ctypes.c_int()
    checked(libc.name_to_handle_at(-100, cbytes(stand.root / "file"), handle, ctypes.byref(mount), 0))
    root = os.open(stand.root, os.O_RDONLY)
    file = checked(libc.open_by_handle_at(root, handle, os.O_RDONLY))
    check(os.read(file, 4) == b"old\n")
    return "work"


@row("taken away by its owner: gone in a mount namespace with a copy, too", some_names, STACKED)
def _(stand):
    other = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        daemon = stand.daemon()
        stand.unmount()
        there = pathlib.Path(f"/proc/{other.pid}/root{stand.root}/d")
        check(not (stand.root / "d").exists(), "it is still here")
        stand.end(daemon)
        try:
            os.listdir(there)
        except OSError as error:
            check(error.errno == errno.ENOTCONN, errno.errorcode[error.errno])
            return YES
        return "lives on"
    finally:
        other.kill()
        other.wait()
        while stand.daemon() is not None:
            time.sleep(0.01)
        stand.mount()


@row("… also when the kernel has dropped its caches, of a lower file, a changed and a new one", some_names)
def _(stand):
    write(stand.root / "d/a", b"new\n")
    write(stand.root / "d/new")
    handles = []
    for name in ("a", "b", "new"):
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
        mount = ctypes.c_int()
        checked(libc.name_to_handle_at(-100, cbytes(stand.root / "d" / name), handle, ctypes.byref(mount), 0))
        handles.append(handle)
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
    root = os.open(stand.root, os.O_RDONLY)
    for handle, data in zip(handles, (b"new\n", b"old\n", b"old\n")):
        file = checked(libc.open_by_handle_at(root, handle, os.O_RDONLY))
        check(os.read(file, 4) == data)
    return "work"


@row("as the lower layer of an overlay", directories)
def _(stand):
    for name in ("u", "w", "m"):
        (stand.base / name).mkdir()
    options = f"lowerdir={stand.root},upperdir={stand.base}/u,workdir={stand.base}/w"
    subprocess.run(["mount", "-t", "overlay", "o", "-o", options, stand.base / "m"], capture_output=True).check_returncode()
    try:
        write(stand.base / "m/d/other", b"new")
        check((stand.root / "d/other").read_bytes() == b"old\n")
        return "works"
    finally:
        subprocess.run(["umount", stand.base / "m"])


@row("as the upper layer of an overlay: deletes and opaque directories", directories)
def _(stand):
    for name in ("lower2", "m"):
        (stand.base / name).mkdir()
    directories(stand.base / "lower2")
    (stand.root / "u").mkdir()
    (stand.root / "w").mkdir()
    options = f"lowerdir={stand.base}/lower2,upperdir={stand.root}/u,workdir={stand.root}/w"
    mounted = subprocess.run(["mount", "-t", "overlay", "o", "-o", options, stand.base / "m"], capture_output=True)
    check(mounted.returncode == 0, "does not mount")
    try:
        os.unlink(stand.base / "m/d/other")
        shutil.rmtree(stand.base / "m/d/sub")
        (stand.base / "m/d/sub").mkdir()
        check(os.listdir(stand.base / "m/d") == ["sub"] and os.listdir(stand.base / "m/d/sub") == [], "wrong tree")
        return "works"
    finally:
        subprocess.run(["umount", stand.base / "m"])


# --------------------------------------------------------------------------------------------------------------
section = "Durability and errors"


@row("fsync of a file and of a directory", some_names)
def _(stand):
    return failures({name: lambda name=name: os.fsync(os.open(stand.root / name, os.O_RDONLY)) for name in ("d", "d/a")})


@row("a chmod of a lower file, then a power cut: the file is", large)
def _(stand):
    expected = (stand.root / "large").read_bytes()
    os.sync()
    os.chmod(stand.root / "large", 0o600)
    fd = os.open(stand.root, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    stand.power_cut()
    data = (stand.root / "large").read_bytes()
    return "whole" if data == expected else f"lost ({len(data)} of {len(expected)} bytes)"


@row("kill -9 of the daemon: the next mount has all that was written", directories)
def _(stand):
    write(stand.root / "d/new", b"new")
    write(stand.root / "d/other", b"changed")
    shutil.rmtree(stand.root / "d/sub")
    if not stand.kill():
        return "-"
    check((stand.root / "d/new").read_bytes() == b"new" and (stand.root / "d/other").read_bytes() == b"changed")
    check(sorted(os.listdir(stand.root / "d")) == ["new", "other"])
    return YES


@row("what a crash left in the work directory is not seen", one, STACKED)
def _(stand):
    stand.unmount()
    for path in (work_of(stand), work_of(stand) / "work"):
        if path.is_dir():
            write(path / "1", b"remains " * 1000)
    stand.mount()
    with open(stand.root / "file", "r+b") as file:
        file.write(b"n")
    check((stand.root / "file").read_bytes() == b"nld\n", "it leaks into a copied-up file")
    check(os.listdir(stand.root) == ["file"])
    return YES


@row("the removal of 1 GiB: its room is there")
def _(stand):
    with open(stand.root / "large", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1 << 30)
    def free():
        status = os.statvfs(stand.root)
        return status.f_bfree * status.f_frsize
    before = free()
    os.unlink(stand.root / "large")
    looks = 0
    while free() < before + (1 << 30) - (1 << 26):
        looks += 1
    return "at once" if looks == 0 else "later"


@row("a full disk: ENOSPC, and the lower file stays whole", large)
def _(stand):
    filler = os.open(stand.base / "filler", os.O_CREAT | os.O_WRONLY)
    free = os.statvfs(stand.base)
    try:
        fallocate(filler, 0, 0, free.f_bavail * free.f_bsize - (4 << 20))
        while True:
            os.write(filler, b"f" * 65536)
    except OSError as error:
        check(error.errno == errno.ENOSPC)

    def grow():
        with open(stand.root / "large", "r+b", buffering=0) as file:
            file.seek(0, 2)
            while file.write(b"x" * 65536):
                os.fsync(file.fileno())

    outcome = errno_of(grow)
    os.ftruncate(filler, 0)
    check(len((stand.root / "large").read_bytes()) >= 16 << 20, "data is lost")
    return outcome


@row("changes of a read-only mount", one)
def _(stand):
    subprocess.run(["mount", "-i", "-o", "remount,ro", stand.root if stand.upper else stand.disk.path], check=True, capture_output=True)
    try:
        return errno_of(lambda: write(stand.root / "file"))
    finally:
        if not stand.upper:
            subprocess.run(["mount", "-o", "remount,rw", stand.disk.path], check=True)
