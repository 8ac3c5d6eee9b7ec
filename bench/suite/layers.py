"""Trees, and the same tree as a stack of any number of layers."""

import hashlib
import io
import gzip
import json
import os
import random
import tarfile
from concurrent.futures import ThreadPoolExecutor


def generated_tree(path, files):
    """Writes a tar of about `files` files, 20 to a directory, most of them small, as in a distribution."""
    pick = random.Random(1)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(name, kind=tarfile.REGTYPE, content=b"", mode=0o644):
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.mode, entry.mtime = kind, len(content), mode, 1_600_000_000
            tar.addfile(entry, io.BytesIO(content))

        for number in range(files):
            package, part = divmod(number // 20, 10)
            if number % 200 == 0:
                add(f"usr/share/package-{package}", tarfile.DIRTYPE, mode=0o755)
            if number % 20 == 0:
                add(f"usr/share/package-{package}/part-{part}", tarfile.DIRTYPE, mode=0o755)
            size = int(pick.lognormvariate(7.5, 1.5))
            content = pick.randbytes(min(size, 1 << 20))
            add(f"usr/share/package-{package}/part-{part}/file-{number}.dat", content=content)


def packages_of(source):
    """Which package each path of a Debian tree belongs to, by dpkg's lists of files; empty for other trees."""
    found = {}
    with tarfile.open(source) as tar:
        for entry in tar:
            head, _, name = entry.name.removeprefix("./").rpartition("/")
            if head != "var/lib/dpkg/info" or not name.endswith(".list") or not entry.isreg():
                continue
            for line in tar.extractfile(entry).read().decode(errors="surrogateescape").splitlines():
                path = line.lstrip("/")
                # Where /bin and the like are links the lists have the old paths.
                for place in (path, f"usr/{path}"):
                    found.setdefault(place, name.removesuffix(".list"))
    return found


def number_of(text, count):
    return int(hashlib.md5(text.encode(errors="surrogateescape")).hexdigest(), 16) % count


def split(source, count, directory, by):
    """Spreads a tar's entries over `count` layers, directory/0.tar the lowest; directories go along with what
    is in them, hard links with their file. Returns the layers' paths, bottom first.

    `by`: "packages": what belongs together is in one layer, as an image's build steps leave it (without dpkg's lists
    what has the first three parts of its path in common); "files": each file is in one of the layers, so that nearly
    every directory is merged from many."""
    packages = packages_of(source) if by == "packages" else {}

    def home_of(name):
        if by == "files":
            return number_of(name, count)
        return number_of(packages.get(name) or "/".join(name.split("/")[:3]), count)

    paths = [directory / f"{number}.tar" for number in range(count)]
    layers = [tarfile.open(path, "w", format=tarfile.PAX_FORMAT) for path in paths]
    written = [set() for _ in layers]
    directories, homes = {}, {}
    with tarfile.open(source) as tar:
        for number, entry in enumerate(tar):
            entry.name = entry.name.removeprefix("./").rstrip("/")
            if entry.name in ("", "."):
                continue
            if entry.isdir():
                directories[entry.name] = entry
                # A directory that stays empty has to be somewhere, too.
                home = 0
            elif entry.islnk():
                entry.linkname = entry.linkname.removeprefix("./")
                home = homes[entry.linkname]
            else:
                home = home_of(entry.name)
            homes[entry.name] = home
            parents = entry.name.split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                parent = "/".join(parents[:depth])
                if parent not in written[home] and parent in directories:
                    written[home].add(parent)
                    layers[home].addfile(directories[parent])
            if entry.name in written[home]:
                continue
            written[home].add(entry.name)
            layers[home].addfile(entry, tar.extractfile(entry) if entry.isreg() else None)
    for layer in layers:
        layer.close()
    return paths


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def docker_archive(layers, name, path):
    """An image of these layer tars, as `docker save` writes it."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": [layer.name for layer in layers]}]
    with tarfile.open(path, "w") as tar:
        for member, document in (("config.json", config), ("manifest.json", manifest)):
            content = json.dumps(document).encode()
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for layer in layers:
            tar.add(layer, layer.name)


def oci_layout(layers, tag, directory):
    """An OCI image layout of these layer tars, compressed with gzip."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(content):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    diff_ids, descriptors = [], []
    kind = "application/vnd.oci.image."
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compressed = pool.map(lambda layer: put(gzip.compress(layer.read_bytes(), compresslevel=6, mtime=0)), layers)
        for layer, blob in zip(layers, compressed):
            diff_ids.append(f"sha256:{sha256(layer)}")
            descriptors.append({"mediaType": kind + "layer.v1.tar+gzip", **blob})
    config = put(
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
                "history": [{"created_by": "bench"} for _ in layers],
            }
        ).encode()
    )
    manifest = put(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind + "manifest.v1+json",
                "config": {"mediaType": kind + "config.v1+json", **config},
                "layers": descriptors,
            }
        ).encode()
    )
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": kind + "manifest.v1+json",
                **manifest,
                "platform": {"architecture": "amd64", "os": "linux"},
                "annotations": {"org.opencontainers.image.ref.name": tag},
            }
        ],
    }
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
