"""What scenarios read or unpack, made once a run."""

import io
import random
import tarfile

from .layers import generated_tree

MEGABYTE = 1 << 20
SMALL, MEDIUM, LARGE = 100, 20, 256
STREAM = 1024
MANY, LINKED, RENAMED = 100_000, 20_000, 100
REPLACED = 1000


class Content:
    """What tarfile reads a file of `size` bytes from: blocks that begin with `salt` and where they are, so that no two
    are the same, without having them all in memory."""

    def __init__(self, salt, block, size):
        self.salt, self.block, self.left = salt, block, size

    def read(self, wanted):
        count = min(wanted, self.left, len(self.block))
        mark = self.salt + self.left.to_bytes(8, "little")
        self.left -= count
        return (mark + self.block[len(mark) :])[:count]


def data_tree(path):
    """Writes a tar with the files of the rows about data: small-N (4 KiB), medium-N (1 MiB), large-a and large-b
    (256 MiB) and stream (1 GiB)."""
    block = random.Random(3).randbytes(MEGABYTE)

    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(name, size):
            entry = tarfile.TarInfo(f"data/{name}")
            entry.size, entry.mode, entry.mtime = size, 0o644, 1_600_000_000
            tar.addfile(entry, Content(name.encode().ljust(16), block, size))

        directory = tarfile.TarInfo("data")
        directory.type, directory.mode, directory.mtime = tarfile.DIRTYPE, 0o755, 1_600_000_000
        tar.addfile(directory)
        for number in range(SMALL):
            add(f"small-{number}", 4096)
        for number in range(MEDIUM):
            add(f"medium-{number}", MEGABYTE)
        for name in ("large-a", "large-b"):
            add(name, LARGE * MEGABYTE)
        add("stream", STREAM * MEGABYTE)


def wide_tree(path):
    """Writes a tar with `MANY` files in the directory many, `LINKED` in one that have a second name in other, and
    `RENAMED` directories in parts with a file each."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(name, kind=tarfile.REGTYPE, content=b"", target="", mode=0o644):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, target, len(content)
            entry.mode, entry.mtime = mode, 1_600_000_000
            tar.addfile(entry, io.BytesIO(content))

        for name in ("many", "one", "other", "parts"):
            add(name, tarfile.DIRTYPE, mode=0o755)
        for number in range(MANY):
            add(f"many/file-{number}", content=b"%d\n" % number)
        for number in range(LINKED):
            add(f"one/file-{number}", content=b"%d\n" % number)
            add(f"other/name-{number}", tarfile.LNKTYPE, target=f"one/file-{number}")
        for number in range(RENAMED):
            add(f"parts/{number}", tarfile.DIRTYPE, mode=0o755)
            add(f"parts/{number}/file", content=b"%d\n" % number)


def replaced_tree(path):
    """Writes a tar with `REPLACED` files in the directory files, and as many directories, with a file each, in
    directories; named as client.c names them."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(name, kind=tarfile.REGTYPE, content=b"", mode=0o644):
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.mode, entry.mtime = kind, len(content), mode, 1_600_000_000
            tar.addfile(entry, io.BytesIO(content))

        for name in ("files", "directories"):
            add(name, tarfile.DIRTYPE, mode=0o755)
        for number in range(REPLACED):
            add(f"files/f{number:06}", content=b"%d\n" % number)
            add(f"directories/d{number:06}", tarfile.DIRTYPE, mode=0o755)
            add(f"directories/d{number:06}/file", content=b"%d\n" % number)


def archive_to_unpack(path):
    """Writes a tar of 5,300 entries, 25 MB."""
    generated_tree(path, 5000)


def c_project(directory, count=40):
    """Writes a C project: `count` files that include a good part of the C library's headers, and a makefile."""
    directory.mkdir(parents=True)
    (directory / "common.h").write_text(
        "".join(f"#include <{name}.h>\n" for name in (
            "errno", "fcntl", "inttypes", "math", "pthread", "signal", "stdio", "stdlib", "string", "time", "unistd",
            "sys/mman", "sys/socket", "sys/stat", "sys/wait",
        ))
        + "".join(f"int part_{number}(const char *text, size_t length);\n" for number in range(count))
    )  # fmt: skip
    for number in range(count):
        functions = "\n".join(
            f"static int step_{part}(int x) {{ return (x * {part + 3} + {number}) ^ (x >> {part % 7 + 1}); }}"
            for part in range(20)
        )
        calls = " ".join(f"sum = step_{part}(sum);" for part in range(20))
        (directory / f"part_{number}.c").write_text(
            f'#include "common.h"\n{functions}\n'
            f"int part_{number}(const char *text, size_t length) {{\n"
            f"    int sum = {number};\n"
            f"    for (size_t at = 0; at < length; at++) {{ sum += text[at]; {calls} }}\n"
            f"    return sum;\n}}\n"
        )
    calls = " ^ ".join(f'part_{number}("text", 4)' for number in range(count))
    (directory / "main.c").write_text(f'#include "common.h"\nint main(void) {{ return ({calls}) & 0; }}\n')
    objects = " ".join(f"part_{number}.o" for number in range(count))
    (directory / "Makefile").write_text(
        f"CFLAGS = -O1\nprogram: main.o {objects}\n\t$(CC) -o $@ $^\n%.o: %.c common.h\n\t$(CC) $(CFLAGS) -c -o $@ $<\n"
    )


def text_tree(directory, files):
    """Writes text files of a source tree's sizes, 25 to a directory."""
    pick = random.Random(4)
    words = [bytes(pick.choices(b"abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(2000)]
    for number in range(files):
        place = directory / f"part-{number // 250}" / f"module-{number // 25 % 10}"
        place.mkdir(parents=True, exist_ok=True)
        lines = (b" ".join(pick.choices(words, k=8)) for _ in range(min(int(pick.lognormvariate(4, 1)), 2000)))
        (place / f"file-{number}.txt").write_bytes(b"\n".join(lines) + b"\n")
