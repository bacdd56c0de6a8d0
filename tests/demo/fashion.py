#!/usr/bin/env python3
"""Puts Fashion-MNIST into .deps/fashion as photos and lists for `make demo-develop`.

The data (Xiao et al. 2017, MIT licence) is Debian's package `dataset-fashion-mnist`,
which apt-get downloads and which is unpacked, not installed; its sha256 is checked.
Where there is no apt-get, GRAFT_FASHION_MNIST names a folder with the four IDX files.

The folder then holds a PNG a photo and these lists (path, label, split):

- source.csv: seven classes, all their photos: what a source learns from;
- target-N.csv: the other three classes, N photos of each to learn from (the first of a
  shuffle by a fixed seed), and all their test photos held out.

Only the standard library is used. Exit status: 0 done, 2 an error.
"""

import csv
import gzip
import hashlib
import lzma
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

PACKAGE = "dataset-fashion-mnist"
SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
LABELS = [
    "t-shirt", "trousers", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle-boot",
]
# Three that have a relative among the seven, and are not alike.
TARGET = ["dress", "ankle-boot", "shirt"]
SIZES = [5, 20, 100]
SEED = 20171


class Failure(Exception):
    """What went wrong, and what to do."""


def member(deb: bytes, name: str) -> bytes:
    """A member of an ar archive, which a Debian package is."""
    at = 8
    while at < len(deb):
        header = deb[at : at + 60]
        length = int(header[48:58])
        if header[:16].decode().strip().rstrip("/").startswith(name):
            return deb[at + 60 : at + 60 + length]
        at += 60 + length + length % 2
    raise Failure(f"the package has no {name}")


def download(folder: Path) -> None:
    """The four IDX files, out of the package."""
    if shutil.which("apt-get") is None:
        raise Failure(
            "there is no apt-get here: put the four IDX files of Fashion-MNIST into a folder"
            " and name it in GRAFT_FASHION_MNIST"
        )
    print(f"fashion: downloading Debian's package {PACKAGE} (31 MB, MIT licence)", flush=True)
    done = subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, capture_output=True, text=True)
    found = sorted(folder.glob(f"{PACKAGE}_*.deb"))
    if done.returncode or not found:
        raise Failure(f"apt-get download {PACKAGE} failed: {done.stderr.strip()}")
    deb = found[0].read_bytes()
    digest = hashlib.sha256(deb).hexdigest()
    if digest != SHA256:
        raise Failure(f"{found[0].name} has the sha256 {digest}, expected {SHA256}")
    data = lzma.decompress(member(deb, "data.tar"))
    tar_file = folder / "data.tar"
    tar_file.write_bytes(data)
    with tarfile.open(tar_file) as tar:
        for entry in tar:
            if entry.name.endswith("-ubyte.gz") and entry.isfile():
                (folder / Path(entry.name).name).write_bytes(tar.extractfile(entry).read())


def idx(path: Path) -> tuple[list[int], bytes]:
    """Axes and bytes of an IDX file."""
    with gzip.open(path) as file:
        data = file.read()
    axes = data[3]
    shape = list(struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes]))
    values = data[4 + 4 * axes :]
    expected = 1
    for length in shape:
        expected *= length
    if data[:3] != b"\0\0\x08" or len(values) != expected:
        raise Failure(f"{path.name} is not a whole IDX file of bytes")
    return shape, values


def png(width: int, height: int, grey: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + grey[y * width : (y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def photos(idx_files: Path, into: Path) -> list[tuple[str, str, str]]:
    """Writes all photos; their paths, labels and splits."""
    rows = []
    for split, stem in (("train", "train"), ("test", "t10k")):
        (count, height, width), pixels = idx(idx_files / f"{stem}-images-idx3-ubyte.gz")
        _, labels = idx(idx_files / f"{stem}-labels-idx1-ubyte.gz")
        folder = into / split
        folder.mkdir()
        print(f"fashion: writing {count} photos of {width}x{height}", flush=True)
        for i in range(count):
            grey = pixels[i * width * height : (i + 1) * width * height]
            name = f"{split}/{i:05}.png"
            (into / name).write_bytes(png(width, height, grey))
            rows.append((name, LABELS[labels[i]], split))
    return rows


def write(path: Path, rows: list[tuple[str, str, str]]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])


def lists(into: Path, rows: list[tuple[str, str, str]]) -> None:
    write(into / "source.csv", [row for row in rows if row[1] not in TARGET])
    target = [row for row in rows if row[1] in TARGET]
    test = [row for row in target if row[2] == "test"]
    shuffled = [row for row in target if row[2] == "train"]
    random.Random(SEED).shuffle(shuffled)
    for size in SIZES:
        few = [row for label in TARGET for row in [r for r in shuffled if r[1] == label][:size]]
        write(into / f"target-{size}.csv", sorted(few) + test)


def main() -> int:
    into = Path(sys.argv[1])
    if (into / "target-100.csv").exists():
        return 0
    into.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=into.parent, prefix=".partial-") as scratch:
            scratch = Path(scratch)
            given = os.environ.get("GRAFT_FASHION_MNIST")
            source = Path(given) if given else scratch
            if not given:
                download(scratch)
            made = scratch / "made"
            made.mkdir()
            lists(made, photos(source, made))
            if into.exists():
                shutil.rmtree(into)
            made.rename(into)
    except (Failure, OSError) as error:
        print(f"fashion: {error}", file=sys.stderr)
        return 2
    print(f"fashion: {into} is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
