"""The cases of `semantics case`: what a filesystem does, told in lines. Cases that are about other users switch to
uid 1000 in a child.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
OFD_SETLK = 37


def say(*words):
    print(*words, flush=True)


def attempt(what, body, *arguments, **keywords):
    """Says what came of a call: an error's name, or its result where that is a number or text."""
    try:
        result = body(*arguments, **keywords)
        say(what, result if isinstance(result, (int, str, bytes, tuple, list)) else "ok")
        return result
    except OSError as error:
        say(what, errno.errorcode[error.errno])


def write(name, text="text\n"):
    with open(name, "w") as file:
        file.write(text)


def mode(name):
    status = os.lstat(name)
    say(name, oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink)


def child(body, uid=0, gid=0, groups=()):
    """Runs body in another process, as another user, and says how it ended."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            if uid:
                os.setgroups(groups)
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            body()
        except OSError as error:
            say("child:", errno.errorcode[error.errno])
        finally:
            sys.stdout.flush()
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        say("child ended with", status)


def acl(*entries):
    """A POSIX ACL as an extended attribute: (tag, permissions, id or -1), sorted by tag."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, p, i & 0xFFFFFFFF) for t, p, i in entries)


# ── locks


def locks_of_flock():
    write("f")
    one, two = os.open("f", os.O_RDWR), os.open("f", os.O_RDWR)
    attempt("exclusive", fcntl.flock, one, fcntl.LOCK_EX)
    attempt("second", fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child(lambda: attempt("other process", fcntl.flock, os.open("f", os.O_RDWR), fcntl.LOCK_SH | fcntl.LOCK_NB))
    attempt("unlock", fcntl.flock, one, fcntl.LOCK_UN)
    attempt("second", fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)


def locks_of_fcntl():
    write("f", "x" * 100)
    file = open("f", "r+")
    attempt("range", fcntl.lockf, file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)

    def other():
        mine = open("f", "r+")
        attempt("overlap", fcntl.lockf, mine, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
        attempt("apart", fcntl.lockf, mine, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 50)

    child(other)


def locks_of_open_file_descriptions():
    write("f", "x" * 100)
    one, two = os.open("f", os.O_RDWR), os.open("f", os.O_RDWR)
    lock = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 10, 0)
    attempt("first", lambda: fcntl.fcntl(one, OFD_SETLK, lock) and None)
    attempt("same process, other description", lambda: fcntl.fcntl(two, OFD_SETLK, lock) and None)
    os.close(one)
    attempt("after close", lambda: fcntl.fcntl(two, OFD_SETLK, lock) and None)


def locks_wait_for_their_turn():
    write("f")
    one = os.open("f", os.O_RDWR)
    fcntl.flock(one, fcntl.LOCK_EX)
    ready, started = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(one)
        mine = os.open("f", os.O_RDWR)
        os.write(started, b"x")
        fcntl.flock(mine, fcntl.LOCK_EX)
        say("child has it")
        sys.stdout.flush()
        os._exit(0)
    os.read(ready, 1)
    say("parent lets go")
    os.close(one)
    os.waitpid(pid, 0)


# ── inotify, sockets, execution


def inotify_tells_of_changes():
    os.mkdir("d")
    fd = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(fd, b"d", 0x00000FC6)  # all but IN_ACCESS, IN_OPEN, IN_CLOSE
    write("d/f")
    os.chmod("d/f", 0o600)
    os.rename("d/f", "d/g")
    os.mkdir("d/sub")
    os.unlink("d/g")
    os.rmdir("d/sub")
    events, offset = os.read(fd, 65536), 0
    while offset < len(events):
        _, mask, _, length = struct.unpack_from("iIII", events, offset)
        say(hex(mask), events[offset + 16 : offset + 16 + length].rstrip(b"\0").decode())
        offset += 16 + length


def sockets_bind_and_connect():
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    mode("socket")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("socket")
    connection, _ = server.accept()
    client.send(b"through the socket")
    say(connection.recv(100))
    attempt("bind again", socket.socket(socket.AF_UNIX).bind, "socket")
    os.rename("socket", "moved")
    attempt("connect to the moved one", socket.socket(socket.AF_UNIX).connect, "moved")
    os.unlink("moved")
    attempt("connect to none", socket.socket(socket.AF_UNIX).connect, "moved")


def fifos_pass_data():
    os.mkfifo("fifo", 0o600)
    pid = os.fork()
    if pid == 0:
        write("fifo", "through the fifo")
        os._exit(0)
    with open("fifo") as fifo:
        say(fifo.read())
    os.waitpid(pid, 0)


def text_busy():
    with open("/bin/sleep", "rb") as source, open("program", "wb") as target:
        target.write(source.read())
    os.chmod("program", 0o755)
    running = subprocess.Popen(["./program", "1000"])
    attempt("write to what runs", os.open, "program", os.O_WRONLY)
    attempt("truncate what runs", os.truncate, "program", 10)
    running.kill()
    running.wait()
    fd = os.open("program", os.O_WRONLY)
    attempt("run what is written", lambda: subprocess.run(["./program", "0"]).returncode)
    os.close(fd)
    attempt("run it then", lambda: subprocess.run(["./program", "0"]).returncode)


def execution_needs_permission():
    write("script", "#!/bin/sh\necho ran\n")
    attempt("without x", lambda: subprocess.run(["./script"]).returncode)
    os.chmod("script", 0o711)
    attempt("with x", lambda: subprocess.run(["./script"]).returncode)


# ── writing


def append_from_two_processes():
    write("f", "")

    def records(letter):
        fd = os.open("f", os.O_WRONLY | os.O_APPEND)
        for _ in range(2000):
            os.write(fd, letter * 63 + b"\n")

    pids = []
    for letter in b"a", b"b":
        pid = os.fork()
        if pid == 0:
            records(letter)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    lines = open("f", "rb").read().splitlines()
    say(len(lines), sorted(set(lines)) == [b"a" * 63, b"b" * 63], lines.count(b"a" * 63))


def append_ignores_the_offset():
    write("f", "0123456789")
    fd = os.open("f", os.O_RDWR | os.O_APPEND)
    os.lseek(fd, 2, os.SEEK_SET)
    os.write(fd, b"end")
    say(os.pread(fd, 100, 0), os.lseek(fd, 0, os.SEEK_CUR))


def file_size_limit():
    write("f", "")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
        fd = os.open("f", os.O_WRONLY)
        attempt("up to the limit", os.write, fd, b"x" * 9000)
        attempt("over it", os.write, fd, b"x" * 9000)
        attempt("beyond", os.write, fd, b"x")
        attempt("truncate beyond", os.ftruncate, fd, 20000)
        attempt("allocate beyond", os.posix_fallocate, fd, 0, 20000)

    child(limited)
    say(os.stat("f").st_size)

    def killed():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
        os.pwrite(os.open("f", os.O_WRONLY), b"x", 10000)

    child(killed)


def direct_io():
    write("f", "y" * 8192)
    fd = os.open("f", os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, 4096)
    buffer.write(b"z" * 4096)
    attempt("direct write", os.pwritev, fd, [buffer], 4096)
    attempt("direct read", os.preadv, fd, [buffer], 0)
    say(buffer[:3], open("f", "rb").read()[4094:4098])


def mappings_and_writes_agree():
    write("f", "a" * 10000)
    fd = os.open("f", os.O_RDWR)
    shared = mmap.mmap(fd, 10000)
    private = mmap.mmap(fd, 10000, mmap.MAP_PRIVATE)
    os.pwrite(fd, b"WRITE", 4094)
    say(shared[4092:4101])
    shared[100:103] = b"MAP"
    private[200:204] = b"MINE"
    say(os.pread(fd, 5, 99), os.pread(fd, 6, 199), private[99:104])
    shared.flush()
    say(open("f", "rb").read()[99:104])
    os.ftruncate(fd, 50)
    os.ftruncate(fd, 10000)
    say(shared[45:55], shared[100:103])


def mapping_of_an_unlinked_file():
    write("f", "a" * 10000)
    fd = os.open("f", os.O_RDWR)
    map = mmap.mmap(fd, 10000)
    os.unlink("f")
    map[5000:5003] = b"map"
    map.flush()
    say(os.pread(fd, 5, 4999), os.fstat(fd).st_nlink)


# ── names


def long_names():
    attempt("255", write, "n" * 255)
    attempt("256", write, "n" * 256)
    attempt("lookup of 256", os.stat, "n" * 256)
    attempt("rename to 256", os.rename, "n" * 255, "m" * 256)
    attempt("rename to 255", os.rename, "n" * 255, "m" * 255)
    attempt("path of 4096", os.stat, "./" * 2048)
    say([len(name) for name in os.listdir(".")])


def names_are_bytes():
    names = [b"\xff\xfe", b"new\nline", b" ", b"-rf", b".wh.name", b".wh..wh..opq", b"\xc3\x85", b"...", b"a\\b"]
    for name in names:
        write(name, "x")
    say(sorted(os.listdir(b".")) == sorted(names))
    for name in names:
        os.rename(name, name + b"~")
    for name in names:
        os.unlink(name + b"~")
    say(os.listdir(b"."))


def symbolic_links():
    attempt("4095", os.symlink, "t" * 4095, "long")
    say(len(os.readlink("long")), os.lstat("long").st_size)
    attempt("4096", os.symlink, "t" * 4096, "longer")
    attempt("empty", os.symlink, "", "empty")
    os.symlink("loop", "loop")
    attempt("loop", os.open, "loop", os.O_RDONLY)
    write("0")
    for number in range(45):
        os.symlink(str(number), str(number + 1))
    attempt("40 links", lambda: os.stat("40").st_size)
    attempt("41 links", lambda: os.stat("41").st_size)
    attempt("O_NOFOLLOW", os.open, "1", os.O_RDONLY | os.O_NOFOLLOW)
    attempt("create through a link", os.open, "loop", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def positions_in_a_large_directory():
    os.mkdir("d")
    names = [f"{number:06d}" for number in range(6000)]
    for name in names:
        os.close(os.open("d/" + name, os.O_CREAT | os.O_WRONLY))
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    stream = ctypes.c_void_p(libc.opendir(b"d"))

    def next():
        entry = libc.readdir(stream)
        return ctypes.string_at(entry + 19).decode() if entry else None

    seen, positions = [], []
    while True:
        position = libc.telldir(stream)
        name = next()
        if name is None:
            break
        seen.append(name)
        positions.append(position)
    say(len(seen), sorted(seen) == sorted(names + [".", ".."]), len(set(positions)) == len(positions))
    for number in range(0, len(seen), 97):
        libc.seekdir(stream, ctypes.c_long(positions[number]))
        if next() != seen[number]:
            say("another name at", number)
    # What is not touched is neither lost nor doubled while others come and go.
    libc.seekdir(stream, ctypes.c_long(positions[0]))
    found, gone = [], set(names[1::2])
    for number in range(1000):
        found.append(next())
    for name in gone:
        os.unlink("d/" + name)
    for number in range(2000):
        os.close(os.open(f"d/new{number}", os.O_CREAT | os.O_WRONLY))
    while (name := next()) is not None:
        found.append(name)
    untouched = set(names) - gone
    kept = [name for name in found if name in untouched]
    say(len(kept), len(set(kept)), len(found) == len(set(found)))


def directories_while_names_return():
    """A loop that does something to each name that it is handed."""

    def suffix(name):
        os.rename(name, name + ".bak")

    def away_and_back(name):
        os.rename(name, "elsewhere")
        os.rename("elsewhere", name)

    def replace(name):
        write("elsewhere")
        os.rename("elsewhere", name)

    def make_again(name):
        os.unlink(name)
        write(name)

    for count in 10, 300:
        for change in suffix, away_and_back, replace, make_again:
            os.mkdir("d")
            os.chdir("d")
            names = {f"{number:05d}" for number in range(count)}
            for name in names:
                write(name)
            seen = []
            with os.scandir() as listing:
                for entry in listing:
                    if entry.name != "elsewhere":
                        seen.append(entry.name)
                        change(entry.name)
                    if len(seen) == 50 * count:
                        break
            say(count, change.__name__, "ends" if len(seen) < 50 * count else "does not end", len(names - set(seen)))
            say(len(os.listdir()), "are left")
            for name in os.listdir():
                os.unlink(name)
            os.chdir("..")
            os.rmdir("d")


def directories_while_removed():
    os.mkdir("d")
    fd = os.open("d", os.O_RDONLY)
    os.rmdir("d")
    say(os.fstat(fd).st_nlink)
    attempt("create in it", os.open, "f", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    attempt("mkdir in it", os.mkdir, "f", dir_fd=fd)
    attempt("look up in it", os.stat, "f", dir_fd=fd)
    attempt("list it", os.listdir, fd)
    attempt("chmod it", os.fchmod, fd, 0o700)
    attempt("sync it", os.fsync, fd)


def renames_and_their_errors():
    for name in "d", "d/e", "g", "full", "full/f":
        os.mkdir(name)
    write("f")
    write("h")
    os.link("f", "same")
    for old, new in (
        ("d", "d/e/x"), ("d/e", "d"), ("f", "d"), ("d", "f"), ("d", "full"), ("none", "x"), ("f", "same"),
        ("f", "none/x"), ("f", "h/x"), ("d/.", "x"), ("d/..", "x"), ("f", "f"), ("g", "d/e"),
    ):
        attempt(f"{old} {new}", os.rename, old, new)
    say(sorted(os.listdir(".")))


# ── users


def set_id_bits_are_dropped():
    os.chmod(".", 0o777)

    def make(name, bits):
        write(name)
        os.chown(name, 1000, 1000)
        os.chmod(name, bits)

    changes = {
        "write": lambda name: os.write(os.open(name, os.O_WRONLY), b"x"),
        "truncate": lambda name: os.truncate(name, 1),
        "open with O_TRUNC": lambda name: os.close(os.open(name, os.O_WRONLY | os.O_TRUNC)),
        "fallocate": lambda name: os.posix_fallocate(os.open(name, os.O_WRONLY), 0, 9000),
        "copy_file_range": lambda name: os.copy_file_range(os.open("source", 0), os.open(name, os.O_WRONLY), 3),
        "chown": lambda name: os.chown(name, 1000, 1000),
        "chmod": lambda name: os.chmod(name, 0o6755),
        "utime": lambda name: os.utime(name, (1, 1)),
    }
    write("source")
    for uid in 1000, 0:
        for bits in 0o6755, 0o6711, 0o2745, 0o6644:
            for what, change in changes.items():
                name = f"{what} {oct(bits)} by {uid}"
                make(name, bits)
                child(lambda: change(name), uid, uid)
                say(name, oct(os.stat(name).st_mode))
    make("mapped", 0o6755)
    child(lambda: mapped_write("mapped"), 1000, 1000)
    say("mapped", oct(os.stat("mapped").st_mode))


def mapped_write(name):
    mmap.mmap(os.open(name, os.O_RDWR), 5)[0:1] = b"x"


def capabilities_are_dropped():
    net_raw = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
    for what, change in {
        "write": lambda: os.write(os.open("f", os.O_WRONLY), b"x"),
        "truncate": lambda: os.truncate("f", 1),
        "fallocate": lambda: os.posix_fallocate(os.open("f", os.O_WRONLY), 0, 9000),
        "chown": lambda: os.chown("f", 3, 3),
        "chmod": lambda: os.chmod("f", 0o700),
        "rename": lambda: os.rename("f", "g") or os.rename("g", "f"),
    }.items():
        write("f")
        os.setxattr("f", "security.capability", net_raw)
        change()
        say(what, os.listxattr("f"))


def umask_counts():
    for mask in 0o022, 0o077, 0:
        os.umask(mask)
        os.mkdir(f"d{mask}", 0o777)
        os.close(os.open(f"f{mask}", os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkfifo(f"p{mask}", 0o666)
        for name in f"d{mask}", f"f{mask}", f"p{mask}":
            mode(name)


def default_acls_are_inherited():
    USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32
    os.mkdir("d", 0o755)
    entries = [(USER_OBJ, 7, -1), (USER, 6, 1000), (GROUP_OBJ, 5, -1), (MASK, 7, -1), (OTHER, 0, -1)]
    os.setxattr("d", "system.posix_acl_default", acl(*entries))
    os.umask(0o077)
    os.mkdir("d/sub", 0o777)
    os.close(os.open("d/f", os.O_CREAT | os.O_WRONLY, 0o666))
    os.mkfifo("d/fifo", 0o644)
    os.symlink("f", "d/link")
    for name in "d", "d/sub", "d/f", "d/fifo", "d/link":
        mode(name)
        say(sorted((key, os.getxattr(name, key, follow_symlinks=False).hex()) for key in os.listxattr(name, follow_symlinks=False)))


def default_acls_replace_the_umask():
    """Also for set-id bits, and over a deleted name."""
    USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32
    os.chmod(".", 0o755)
    for group, bits in (70, 0o2777), (0, 0o777):
        os.mkdir("d", 0o777)
        os.chown("d", 0, group)
        os.chmod("d", bits)
        entries = [(USER_OBJ, 7, -1), (USER, 7, 1001), (GROUP_OBJ, 5, -1), (MASK, 5, -1), (OTHER, 1, -1)]
        os.setxattr("d", "system.posix_acl_default", acl(*entries))
        write("d/again")
        os.unlink("d/again")

        def make():
            os.umask(0o077)
            for name, wanted in ("d/plain", 0o666), ("d/all", 0o777), ("d/setuid", 0o4755), ("d/setgid", 0o2755), ("d/again", 0o4777):
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY, wanted))
            os.mkdir("d/sub", 0o777)
            os.mknod("d/fifo", 0o666 | stat.S_IFIFO)
            fd = os.open("d", os.O_TMPFILE | os.O_RDWR, 0o4777)
            attempt("link", lambda: link_descriptor(fd, "d/linked"))

        child(make, 1000, 1000, (70,))
        for name in sorted(os.listdir("d")):
            mode(f"d/{name}")
            say([(key, os.getxattr(f"d/{name}", key).hex()) for key in sorted(os.listxattr(f"d/{name}"))])
        child(lambda: attempt("another's", os.open, "d/plain", os.O_WRONLY) and None, 1001, 1001)
        os.rename("d", f"was{group}")


def link_descriptor(fd, name, by_path=True):
    """linkat(2) of an open file: by /proc/self/fd, or by AT_EMPTY_PATH."""
    path, flags = (f"/proc/self/fd/{fd}", 0x400) if by_path else ("", 0x1000)
    directory = -100 if by_path else fd
    if libc.linkat(directory, path.encode(), -100, name.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), name)


def temporary_files():
    os.mkdir("d")
    os.mkdir("other")
    os.chown("d", 0, 70)
    os.chmod("d", 0o2775)
    for by_path in True, False:
        name = f"by path {by_path}"
        fd = os.open("d", os.O_TMPFILE | os.O_RDWR, 0o664)
        status = os.fstat(fd)
        say(name, oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink, status.st_size, os.listdir("d"))
        os.write(fd, b"hidden")
        os.fchmod(fd, 0o640)
        os.setxattr(fd, "user.note", b"on it")
        os.posix_fallocate(fd, 0, 5000)
        os.ftruncate(fd, 3000)
        os.fsync(fd)
        with mmap.mmap(fd, 3000) as mapped:
            mapped[10:16] = b"mapped"
        attempt("in use", link_descriptor, fd, "d", by_path)
        attempt("first name", link_descriptor, fd, f"other/{name}", by_path)
        attempt("second name", link_descriptor, fd, f"d/{name}", by_path)
        attempt("same name", link_descriptor, fd, f"d/{name}", by_path)
        say(os.fstat(fd).st_nlink, os.fstat(fd).st_ino == os.stat(f"d/{name}").st_ino)
        os.pwrite(fd, b"later", 20)
        os.close(fd)
        mode(f"d/{name}")
        data = open(f"other/{name}", "rb").read()
        say(len(data), data[:30], os.listxattr(f"d/{name}"))
        os.unlink(f"d/{name}")
        mode(f"other/{name}")
    fd = os.open("d", os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o600)
    os.write(fd, b"never")
    for by_path in True, False:
        attempt("exclusive", link_descriptor, fd, "d/exclusive", by_path)
    say(os.pread(fd, 10, 0), os.fstat(fd).st_nlink)
    os.close(fd)
    # Linked, unlinked, linked again.
    fd = os.open("d", os.O_TMPFILE | os.O_RDWR, 0o600)
    attempt("link", link_descriptor, fd, "d/twice")
    os.unlink("d/twice")
    attempt("again", link_descriptor, fd, "d/twice")
    os.close(fd)
    say(sorted(os.listdir("d")))
    attempt("for reading only", os.open, "d", os.O_TMPFILE | os.O_RDONLY)
    attempt("in a file", os.open, f"other/by path True", os.O_TMPFILE | os.O_RDWR)
    attempt("in nothing", os.open, "none", os.O_TMPFILE | os.O_RDWR)
    fd = os.open("d", os.O_RDONLY)
    os.rename("d", "gone")
    os.rmdir("gone") if not os.listdir("gone") else attempt("rmdir", os.rmdir, "gone")
    os.chmod(".", 0o755)
    child(lambda: attempt("in another's directory", os.open, "other", os.O_TMPFILE | os.O_RDWR) and None, 1000, 1000)
    for number in range(50):
        descriptors = [os.open("other", os.O_TMPFILE | os.O_WRONLY, 0o600) for _ in range(20)]
        for fd in descriptors:
            os.close(fd)
    say(sorted(os.listdir("other")))


def access_acls_count():
    USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
    os.chmod(".", 0o755)
    write("f")
    os.chmod("f", 0o600)
    entries = [(USER_OBJ, 6, -1), (USER, 4, 1000), (GROUP_OBJ, 0, -1), (GROUP, 6, 50), (MASK, 6, -1), (OTHER, 0, -1)]
    os.setxattr("f", "system.posix_acl_access", acl(*entries))
    mode("f")
    child(lambda: attempt("user reads", os.open, "f", os.O_RDONLY) and None, 1000, 1000)
    child(lambda: attempt("user writes", os.open, "f", os.O_WRONLY) and None, 1000, 1000)
    child(lambda: attempt("group writes", lambda: os.close(os.open("f", os.O_WRONLY))), 1001, 1001, (50,))
    child(lambda: attempt("other reads", os.open, "f", os.O_RDONLY) and None, 1002, 1002)
    os.chmod("f", 0o620)
    say(os.getxattr("f", "system.posix_acl_access").hex())
    child(lambda: attempt("masked group reads", os.open, "f", os.O_RDONLY) and None, 1001, 1001, (50,))
    os.removexattr("f", "system.posix_acl_access")
    mode("f")
    # Whoever is not in the group loses set-group-id by setting an ACL.
    for groups in (), (60,):
        os.chown("f", 1000, 60)
        os.chmod("f", 0o2755)
        small = [(USER_OBJ, 7, -1), (GROUP_OBJ, 5, -1), (OTHER, 5, -1)]
        child(lambda: os.setxattr("f", "system.posix_acl_access", acl(*small)), 1000, 1000, groups)
        mode("f")


def sticky_directories():
    os.chmod(".", 0o755)
    os.mkdir("d")
    os.chmod("d", 0o1777)
    write("d/root")
    child(lambda: write("d/own"), 1000, 1000)
    child(lambda: attempt("another's", os.unlink, "d/root"), 1000, 1000)
    child(lambda: attempt("another's away", os.rename, "d/root", "d/x"), 1000, 1000)
    child(lambda: attempt("over another's", os.rename, "d/own", "d/root"), 1000, 1000)
    child(lambda: attempt("one's own", os.unlink, "d/own"), 1000, 1000)


def groups_count():
    os.chmod(".", 0o755)
    os.mkdir("d")
    os.chown("d", 0, 70)
    os.chmod("d", 0o2775)
    child(lambda: attempt("in the group", write, "d/f"), 1000, 1000, (70, 71))
    child(lambda: attempt("not in it", write, "d/g"), 1001, 1001, (71,))
    child(lambda: os.mkdir("d/sub"), 1000, 1000, (70,))
    child(lambda: attempt("chgrp to a group of one's own", os.chown, "d/f", -1, 71), 1000, 1000, (70, 71))
    child(lambda: attempt("chgrp to another", os.chown, "d/f", -1, 72), 1000, 1000, (70, 71))
    child(lambda: attempt("chown", os.chown, "d/f", 1001, -1), 1000, 1000)
    child(lambda: attempt("set-group-id of another group", os.chmod, "d/f", 0o2755), 1000, 1000)
    for name in "d", "d/f", "d/sub":
        mode(name)


def times_need_ownership():
    os.chmod(".", 0o755)
    write("f")
    os.chmod("f", 0o666)
    child(lambda: attempt("now, by a writer", os.utime, "f"), 1000, 1000)
    child(lambda: attempt("another time, by a writer", os.utime, "f", (1, 1)), 1000, 1000)
    os.chmod("f", 0o644)
    child(lambda: attempt("now, by a reader", os.utime, "f"), 1000, 1000)
    os.utime("f", ns=(1234567890123456789, 987654321987654321))
    say(os.stat("f").st_atime_ns, os.stat("f").st_mtime_ns)
    os.utime("f", ns=(-1500000000, 5_000_000_000_123_456_789))
    say(os.stat("f").st_atime_ns, os.stat("f").st_mtime_ns)


def times_move():
    """Which calls move which times."""
    os.mkdir("d")
    write("d/f")
    os.link("d/f", "d/other")

    def observe(what, names, change):
        before = {name: os.lstat(name) for name in names}
        time.sleep(0.02)  # more than a tick: times are coarse
        change()
        for name in names:
            if not os.path.lexists(name):
                continue
            after = os.lstat(name)
            moved = [
                field
                for field in ("st_mtime_ns", "st_ctime_ns")
                if getattr(after, field) != getattr(before[name], field)
            ]
            say(what, name, moved)

    observe("write", ["d", "d/f"], lambda: os.pwrite(os.open("d/f", os.O_WRONLY), b"x", 0))
    observe("truncate", ["d/f"], lambda: os.truncate("d/f", 2))
    observe("truncate to the same", ["d/f"], lambda: os.truncate("d/f", 2))
    observe("chmod", ["d/f"], lambda: os.chmod("d/f", 0o600))
    observe("chmod to the same", ["d/f"], lambda: os.chmod("d/f", 0o600))
    observe("chown", ["d/f"], lambda: os.chown("d/f", 1, 1))
    observe("setxattr", ["d/f"], lambda: os.setxattr("d/f", "user.a", b"1"))
    observe("removexattr", ["d/f"], lambda: os.removexattr("d/f", "user.a"))
    observe("link", ["d", "d/f"], lambda: os.link("d/f", "d/third"))
    observe("unlink of another name", ["d", "d/f"], lambda: os.unlink("d/third"))
    observe("rename", ["d", "d/f"], lambda: os.rename("d/other", "d/renamed"))
    observe("rename over another name", ["d", "d/f"], lambda: write("d/new") or os.rename("d/new", "d/renamed"))
    observe("mkdir", ["d"], lambda: os.mkdir("d/sub"))
    observe("rmdir", ["d"], lambda: os.rmdir("d/sub"))
    observe("symlink", ["d"], lambda: os.symlink("x", "d/s"))
    observe("read", ["d", "d/f"], lambda: open("d/f").read())
    observe("fallocate", ["d/f"], lambda: os.posix_fallocate(os.open("d/f", os.O_WRONLY), 0, 5000))


# ── attributes


def extended_attributes():
    write("f")
    os.mkdir("d")
    os.symlink("f", "l")
    for name in "f", "d":
        for key in "user.a", "trusted.a", "security.a":
            attempt(f"{name} {key}", os.setxattr, name, key, b"value")
        attempt("create again", os.setxattr, name, "user.a", b"x", os.XATTR_CREATE)
        attempt("replace none", os.setxattr, name, "user.none", b"x", os.XATTR_REPLACE)
        attempt("empty", os.setxattr, name, "user.empty", b"")
        attempt("long name", os.setxattr, name, "user." + "n" * 250, b"x")
        attempt("longer name", os.setxattr, name, "user." + "n" * 251, b"x")
        attempt("3000 bytes", os.setxattr, name, "user.big", b"b" * 3000)
        attempt("no namespace", os.setxattr, name, "other.a", b"x")
        attempt("remove none", os.removexattr, name, "user.none")
        say(sorted(os.listxattr(name)), len(os.getxattr(name, "user.big")))
        child(lambda: say(sorted(os.listxattr(name))), 1000, 1000)
    attempt("user on a link", os.setxattr, "l", "user.a", b"x", follow_symlinks=False)
    attempt("trusted on a link", os.setxattr, "l", "trusted.a", b"x", follow_symlinks=False)
    os.mkfifo("p")
    attempt("user on a fifo", os.setxattr, "p", "user.a", b"x")


def overlay_attributes_are_data():
    os.mkdir("d")
    write("d/f")
    for key in "trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.overlay.opaque", "user.overlay.opaque":
        attempt(key, os.setxattr, "d", key, b"y")
    say(sorted(os.listxattr("d")), os.getxattr("d", "trusted.overlay.opaque"))
    say(os.listdir("d"))
    attempt("remove", os.removexattr, "d", "trusted.overlay.opaque")
    say(sorted(os.listxattr("d")))


def file_handles():
    write("f")
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + b"\0" * 128)
    mount = ctypes.c_int()
    if libc.name_to_handle_at(-100, b"f", handle, ctypes.byref(mount), 0) != 0:
        return say("name_to_handle_at", errno.errorcode[ctypes.get_errno()])
    directory = os.open(".", os.O_RDONLY)
    fd = libc.open_by_handle_at(directory, handle, os.O_RDONLY)
    say(os.read(fd, 10) if fd >= 0 else errno.errorcode[ctypes.get_errno()])
    os.rename("f", "g")
    fd = libc.open_by_handle_at(directory, handle, os.O_RDONLY)
    say(os.read(fd, 10) if fd >= 0 else errno.errorcode[ctypes.get_errno()])


def names_of_attributes_are_bytes():
    write("f")
    names = [b"user.\xff", b"user.\xfe", b"user.\xff\xfe", "user.\u00e9".encode(), "user.e\u0301".encode(), b"user.\xcc\x81"]
    for name in names:
        attempt(f"set {name}", os.setxattr, "f", name, name + b"\0\xff")
    for name in sorted(map(os.fsencode, os.listxattr("f"))):
        say(name, os.getxattr("f", name))
    attempt("remove", os.removexattr, "f", b"user.\xfe")
    attempt("replace", os.setxattr, "f", b"user.\xfe", b"", os.XATTR_REPLACE)
    attempt("create", os.setxattr, "f", b"user.\xff", b"", os.XATTR_CREATE)
    say(sorted(map(os.fsencode, os.listxattr("f"))))


def targets_of_links_are_bytes():
    for number, target in enumerate([b"\xff/\xfe", b"\xcc\x81", "\u00e9".encode(), "e\u0301".encode(), b"a\nb\\c"]):
        attempt("symlink", os.symlink, target, f"link{number}")
        say(os.readlink(f"link{number}".encode()), os.lstat(f"link{number}").st_size)


def file_handles_that_the_kernel_forgot():
    os.makedirs("d/e")
    write("d/e/f")
    handles = []
    for name in "d/e/f", "d/e":
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + b"\0" * 128)
        mount = ctypes.c_int()
        if libc.name_to_handle_at(-100, name.encode(), handle, ctypes.byref(mount), 0) != 0:
            return say("name_to_handle_at", errno.errorcode[ctypes.get_errno()])
        handles.append(handle)
    os.rename("d", "g")
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("2")
    directory = os.open(".", os.O_RDONLY)
    fd = libc.open_by_handle_at(directory, handles[0], os.O_RDONLY)
    say(os.read(fd, 10) if fd >= 0 else errno.errorcode[ctypes.get_errno()])
    fd = libc.open_by_handle_at(directory, handles[1], os.O_RDONLY)
    say(os.listdir(fd) if fd >= 0 else errno.errorcode[ctypes.get_errno()])
    if fd >= 0:
        say(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}")))


HELPERS = {"say", "attempt", "write", "mode", "child", "acl", "mapped_write", "link_descriptor"}
CASES = {
    name.replace("_", " "): body
    for name, body in list(globals().items())
    if getattr(body, "__module__", None) == __name__ and callable(body) and name not in HELPERS
}


def run(case, directory):
    """Works in the new directory `directory`/CASE."""
    directory = os.path.join(directory, case.replace(" ", "-"))
    os.umask(0o022)
    os.mkdir(directory)
    os.chdir(directory)
    CASES[case]()
