#!/usr/bin/env python3
"""Builds what goes onto boards, into target/device/<arch>/, and holds it to its budgets.

    graftd                        the device program, static, with every sink
    tokens/graftd                 the same with the tokenizers of sentence encoders
    lib/libgraft_runtime.{a,so}   the C interface, with include/graft.h and
    lib/pkgconfig/graft.pc        what pkg-config asks for
    symbols/graftd                graftd before it was stripped
    tests/stored_hashes           checks that photos are prepared to the same bytes

The architectures and the budgets are those of firmware/boards/*.toml.
firmware/build/setup.sh installs what this needs.

Exit status: 0 built and within budget, 1 over a budget, 2 an error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

try:
    import tomllib
except ImportError:
    print("make device needs Python 3.11 or newer: it reads TOML", file=sys.stderr)
    sys.exit(2)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BOARDS = ROOT / "firmware" / "boards"
# Of the workspace's Cargo.toml. graftd aborts on a panic; the C library must
# unwind, and so does what `cargo test` makes.
ABORTS, UNWINDS = "device", "device-c"
# Where setup.sh puts Debian's Rust library for arm64.
DEBIAN_SYSROOT = ROOT / ".deps" / "arm64" / "rust"

# GNU's names of the cross tools, by architecture.
TOOLS = {"aarch64": "aarch64-linux-gnu-", "armv7": "arm-linux-gnueabihf-"}


class BuildError(Exception):
    """What went wrong and what to do."""


@dataclass(frozen=True)
class Board:
    file: str
    name: str
    arch: str
    target: str
    graftd_bytes: int
    # Of a graftd with the tokenizers of sentence encoders.
    graftd_tokens_bytes: int


@dataclass(frozen=True)
class Compiler:
    """A cargo that makes code for one target, and how it is called."""

    name: str
    cargo: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: dict[str, str]
    # Of rustc.
    flags: tuple[str, ...] = ()


def boards() -> list[Board]:
    found = []
    for path in sorted(BOARDS.glob("*.toml")):
        with path.open("rb") as file:
            try:
                board = tomllib.load(file)
                found.append(
                    Board(
                        path.name,
                        board["name"],
                        board["arch"],
                        board["target"],
                        board["budget"]["graftd_bytes"],
                        board["budget"]["graftd_tokens_bytes"],
                    )
                )
            except (tomllib.TOMLDecodeError, KeyError) as error:
                raise BuildError(f"{path}: {error}") from error
    return found


# --- The compiler -----------------------------------------------------------------------


def compiler(arch: str, target: str) -> Compiler:
    """rustup's if it has the target; else Debian's, as setup.sh left it."""
    variable = target.upper().replace("-", "_")
    linker = TOOLS[arch] + "gcc"
    if shutil.which(linker) is None:
        raise BuildError(f"{linker} is missing: sudo firmware/build/setup.sh")
    environment = {f"CARGO_TARGET_{variable}_LINKER": linker}

    if os.environ.get("GRAFT_RUST") != "debian":
        sysroot = subprocess.run(
            ["rustc", "--print", "sysroot"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()
        if sysroot and (Path(sysroot) / "lib" / "rustlib" / target / "lib").is_dir():
            cargo = os.environ.get("CARGO", "cargo")
            return Compiler("the default toolchain", (cargo,), (), environment)

    if not Path("/usr/bin/cargo").exists() or not (DEBIAN_SYSROOT / "version").exists():
        raise BuildError(
            f"no Rust for {target}: rustup target add {target}, or sudo firmware/build/setup.sh"
        )
    environment["RUSTC"] = "/usr/bin/rustc"
    if arch == "aarch64":
        flags = (f"--sysroot={DEBIAN_SYSROOT}",)
        return Compiler("Debian's toolchain", ("/usr/bin/cargo",), (), environment, flags)
    # There is no package of its library for this target: cargo builds it, which
    # only an unstable flag says.
    environment["RUSTC_BOOTSTRAP"] = "1"
    return Compiler(
        "Debian's toolchain", ("/usr/bin/cargo",), ("-Zbuild-std=std,panic_abort",), environment
    )


def build(with_: Compiler, target: str, profile: str, package: str, *arguments: str) -> Path:
    """Runs cargo; gives the file that it made for `--lib`, `--bin` or `--test`."""
    # A folder for each target: cargo locks the one it works in.
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "cross" / target
    command = [
        *with_.cargo,
        "rustc",
        *("--locked", "--profile", profile, "--target", target, "--package", package),
        *("--message-format", "json-render-diagnostics"),
        *with_.arguments,
        *arguments,
    ]
    environment = {**os.environ, **with_.environment, "CARGO_TARGET_DIR": str(folder)}
    flags = [
        *with_.flags,
        # Panic messages name files: as they are called here, not on this machine. Those
        # of the workspace are relative already, and naming its folder would compile the
        # engine anew for each clone.
        f"--remap-path-prefix={os.environ.get('CARGO_HOME', Path.home() / '.cargo')}=cargo",
    ]
    if target.startswith("armv7"):
        # Instructions of half the width where they will do, as Debian compiles for
        # these processors: a quarter smaller.
        flags += ["-C", "target-feature=+thumb-mode"]
    # In this form flags may hold spaces. It wins over flags meant for the host.
    environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)

    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise BuildError(f"{package} does not build for {target}: see above")
    print(f"device: {package} for {target}: {time.monotonic() - started:.0f} s", flush=True)
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    files = [m for m in messages if m["reason"] == "compiler-artifact"][-1]["filenames"]
    return Path(files[0])


# --- What is built ----------------------------------------------------------------------

# The feature of graftd, the folder for it, and a budget of its own.
TOKENS = "tokens"

# Given to programs alone, not to what they are made of, which compiles once.
STATIC = ("--", "-C", "target-feature=+crt-static")
NO_UNWINDING = (
    *("-C", f"link-arg=-Wl,-T,{HERE / 'no-unwinding.ld'}"),
    *("-C", "link-arg=-Wl,--no-eh-frame-hdr"),
)


def build_graftd(
    with_: Compiler, arch: str, target: str, folder: Path, features: frozenset[str]
) -> None:
    flags = (*asked(features), *STATIC, *NO_UNWINDING)
    made = build(with_, target, ABORTS, "graft-agent", "--bin", "graftd", *flags)
    install(made, folder / "symbols" / "graftd")
    strip(arch, "--strip-all", made, folder / "graftd")


def build_library(
    with_: Compiler, arch: str, target: str, folder: Path, features: frozenset[str]
) -> None:
    made = build(with_, target, UNWINDS, "graft-c", "--lib", *asked(features))
    library = folder / "lib"
    for name in ("libgraft_runtime.a", "libgraft_runtime.so"):
        strip(arch, "--strip-unneeded", made.with_name(name), library / name)
    # A program that is linked with the shared library asks for it by its SONAME.
    dynamic = run(TOOLS[arch] + "readelf", "--dynamic", str(library / "libgraft_runtime.so"))
    if found := re.search(r"\(SONAME\).*\[(.+)\]", dynamic):
        soname = library / found[1]
        soname.unlink(missing_ok=True)
        soname.symlink_to("libgraft_runtime.so")
    install(ROOT / "firmware" / "include" / "graft.h", folder / "include" / "graft.h")
    pkg_config = (ROOT / "firmware" / "c" / "graft.pc.in").read_text()
    (library / "pkgconfig").mkdir(exist_ok=True)
    (library / "pkgconfig" / "graft.pc").write_text(pkg_config.replace("@VERSION@", version()))


def build_tests(with_: Compiler, target: str, folder: Path) -> None:
    test = build(with_, target, UNWINDS, "graft-input", "--test", "stored_hashes", *STATIC)
    install(test, folder / "tests" / "stored_hashes")


def build_all(arch: str, target: str, folder: Path, features: frozenset[str]) -> None:
    with_ = compiler(arch, target)
    print(f"device: {target}, with {with_.name}", flush=True)
    build_graftd(with_, arch, target, folder, features)
    build_graftd(with_, arch, target, folder / TOKENS, features | {TOKENS})
    build_library(with_, arch, target, folder, features)
    build_tests(with_, target, folder)


def asked(features: frozenset[str]) -> tuple[str, ...]:
    return ("--features", ",".join(sorted(features))) if features else ()


def version() -> str:
    with (ROOT / "Cargo.toml").open("rb") as file:
        return tomllib.load(file)["workspace"]["package"]["version"]


def strip(arch: str, how: str, built: Path, wanted: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / wanted.name
        run(TOOLS[arch] + "strip", how, "-o", str(stripped), str(built))
        install(stripped, wanted)


def install(built: Path, wanted: Path) -> None:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    beside = wanted.with_name(wanted.name + ".partial")
    shutil.copy2(built, beside)
    beside.replace(wanted)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


# --- Budgets ----------------------------------------------------------------------------


def over_budget(
    all_boards: list[Board], arch: str, folder: Path, features: frozenset[str]
) -> list[str]:
    over = []
    for board in (board for board in all_boards if board.arch == arch):
        core = board.graftd_tokens_bytes if TOKENS in features else board.graftd_bytes
        budgets = {"graftd": core, f"{TOKENS}/graftd": board.graftd_tokens_bytes}
        for program, budget in budgets.items():
            size = (folder / program).stat().st_size
            if size > budget:
                over.append(
                    f"firmware/boards/{board.file}: {program} is {size:,} bytes,"
                    f" the budget of {board.name} is {budget:,}"
                )
    return over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", action="append", choices=sorted(TOOLS), help="only this one")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "device")
    parser.add_argument("--features", help="of graftd and the library, beside the default ones")
    wanted = parser.parse_args()
    features = frozenset(re.findall(r"[^\s,]+", wanted.features or ""))

    all_boards = boards()
    targets = {board.arch: board.target for board in all_boards}
    arches = wanted.arch or sorted(targets)
    # Beside each other: optimising a whole program at once keeps one core busy.
    with ThreadPoolExecutor(len(arches)) as pool:
        list(pool.map(lambda arch: build_all(arch, targets[arch], wanted.out / arch, features), arches))

    over = []
    for arch in arches:
        folder = wanted.out / arch
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            print(f"device: {path.stat().st_size:>11,}  {arch}/{path.relative_to(folder)}")
        over += over_budget(all_boards, arch, folder, features)
    for line in over:
        print(f"over budget: {line}", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuildError as error:
        print(f"make device: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
