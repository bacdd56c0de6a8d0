#!/usr/bin/env python3
"""Boots the aarch64 graftd on an emulated board and reads the console.

qemu-system-aarch64 runs Debian's own arm64 kernel. Its `vivid` module is a V4L2
camera, `i6300esb` a hardware watchdog that qemu emulates, and the GPIO lines are
those of the board's PL061. `init` beside this file runs on the board: graftd
classifies live frames for a minute, is stopped, is started again and killed; then
the watchdog must reset the board. What the board says is checked here.

Exit status: 0 all holds, 1 something does not, 2 an error.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# Where setup.sh unpacks the kernel and the shell.
DEBIAN = ROOT / ".deps" / "arm64" / "board"
BUNDLE = ROOT / "crates" / "runtime" / "tests" / "fixtures" / "tiny.graft"
MODULES = ("vivid", "i6300esb")
RAM = "128"


class BoardError(Exception):
    """What went wrong and what to do."""


@dataclass
class Said:
    """The console, by kind of line."""

    answers: list[dict] = field(default_factory=list)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    # By their number in the whole system.
    lines: dict[int, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def uptime(self) -> float | None:
        """Of the board at the first answer."""
        found = [word.split()[1] for word in self.words if word.startswith("uptime ")]
        return float(found[0]) if found else None


# --- The first file system --------------------------------------------------------------


def module_files() -> dict[str, bytes]:
    """The modules and what they need, in the order to insert them."""
    found = {
        path.name.split(".ko")[0].replace("-", "_"): path
        for path in DEBIAN.glob("lib/modules/*/kernel/**/*.ko*")
    }
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        if name not in found:
            raise BoardError(f"the kernel has no module {name}")
        path = found[name]
        code = path.read_bytes()
        if path.suffix == ".xz":
            code = lzma.decompress(code)
        # Each module states its own needs, so depmod and its files are not needed.
        needs = re.search(rb"\0depends=([^\0]*)\0", code)
        for need in filter(None, (needs[1] if needs else b"").decode().split(",")):
            add(need.replace("-", "_"))
        ordered[name] = code

    for name in MODULES:
        add(name)
    return ordered


def archive(entries: dict[str, bytes | None]) -> bytes:
    """A cpio archive in the kernel's `newc` form: None is a folder."""
    out = bytearray()

    def entry(number: int, name: str, mode: int, data: bytes) -> None:
        encoded = name.encode() + b"\0"
        numbers = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        out.extend(b"070701" + "".join(f"{n:08x}" for n in numbers).encode() + encoded)
        out.extend(bytes(-len(out) % 4))
        out.extend(data)
        out.extend(bytes(-len(out) % 4))

    for number, (name, data) in enumerate(entries.items(), start=1):
        if data is None:
            entry(number, name, stat.S_IFDIR | 0o755, b"")
        else:
            entry(number, name, stat.S_IFREG | 0o755, data)
    entry(0, "TRAILER!!!", 0, b"")
    return bytes(out)


def confident(bundle: bytes) -> bytes:
    """The same bundle with no "unknown": the GPIO lines are to show a label, and of
    the camera's test picture this network is not sure. See docs/format.md for the
    digests."""
    changed = bytearray(bundle.replace(b'"unknown_below":0.4', b'"unknown_below":0.0'))
    if changed == bundle:
        raise BoardError(f"{BUNDLE}: its manifest does not say unknown_below 0.4 any more")
    table = slice(64, 64 + 64 * int.from_bytes(changed[12:16], "little"))
    start, length = struct.unpack_from("<QQ", changed, 64 + 8)
    changed[64 + 24 : 64 + 56] = hashlib.sha256(changed[start : start + length]).digest()
    changed[32:64] = hashlib.sha256(changed[:32] + changed[table]).digest()
    return bytes(changed)


def initramfs(graftd: Path, settings: str, seconds: int) -> bytes:
    modules = module_files()
    watchdog = tomllib.loads(settings)["health"]["watchdog_timeout"]
    return archive(
        {
            **dict.fromkeys(("bin", "dev", "etc", "modules", "proc", "sys", "tmp")),
            "init": (HERE / "init").read_bytes(),
            "bin/busybox": (DEBIAN / "bin" / "busybox").read_bytes(),
            "bin/graftd": graftd.read_bytes(),
            "tiny.graft": confident(BUNDLE.read_bytes()),
            "etc/graftd.toml": settings.encode(),
            "etc/seconds": str(seconds).encode(),
            "etc/watchdog": str(watchdog).encode(),
            "modules/order": " ".join(modules).encode(),
            **{f"modules/{name}.ko": code for name, code in modules.items()},
        }
    )


# --- The boot ---------------------------------------------------------------------------


def boot(board: dict, root: bytes, limit: int) -> list[str]:
    """The console's lines, from power on until the board is off or reset."""
    qemu = shutil.which("qemu-system-aarch64")
    kernels = sorted(DEBIAN.glob("boot/vmlinuz-*"))
    if qemu is None or not kernels:
        raise BoardError("no emulator or no kernel: sudo firmware/build/setup.sh")
    with tempfile.TemporaryDirectory(prefix="graft-board-") as folder:
        initrd = Path(folder) / "initrd"
        initrd.write_bytes(gzip.compress(root, 1))
        command = [
            qemu,
            *("-machine", "virt", "-cpu", board["cpu"], "-m", RAM),
            *("-device", "i6300esb", "-nic", "none", "-display", "none"),
            *("-monitor", "none", "-serial", "stdio"),
            # A reset ends the emulator, as turning off does.
            "-no-reboot",
            *("-kernel", str(kernels[-1]), "-initrd", str(initrd)),
            *("-append", f"console={board['console']} quiet loglevel=3 panic=-1"),
        ]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as emulator:
            try:
                console, _ = emulator.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                emulator.kill()
                console, _ = emulator.communicate()
                console += f"\nboard: failed still running after {limit} s".encode()
    return console.decode(errors="replace").replace("\r", "").splitlines()


# --- What it said -----------------------------------------------------------------------


def read(console: list[str]) -> Said:
    said = Said()
    for line in console:
        if not line.startswith("board: "):
            continue
        kind, _, rest = line.removeprefix("board: ").partition(" ")
        if kind == "answer":
            said.answers.append(json.loads(rest))
        elif kind == "memory":
            when, name, size = rest.split()
            said.memory.setdefault(when, {})[name.rstrip(":")] = int(size)
        elif kind == "line":
            number, level = rest.split()
            said.lines[int(number)] = level
        elif kind == "metric":
            if not rest.startswith("#"):
                name, _, value = rest.rpartition(" ")
                said.metrics[name] = float(value)
        else:
            said.words.append(f"{kind} {rest}".strip())
    return said


def wrong(said: Said, board: dict, sinks: list[str], seconds: int) -> list[str]:
    """What does not hold, in words."""
    found = [word for word in said.words if word.startswith("failed")]

    def demand(holds: bool, words: str) -> None:
        if not holds:
            found.append(words)

    # How fast an emulated processor is says nothing; that frames keep coming does.
    answers = said.answers
    demand(len(answers) >= seconds, f"{len(answers)} answers in {seconds} s")
    sequences = [answer["sequence"] for answer in answers]
    demand(sequences == sorted(set(sequences)), "answers are out of order")
    if answers:
        lived = (answers[-1]["monotonic_us"] - answers[0]["monotonic_us"]) / 1e6
        demand(lived >= 0.9 * seconds, f"answers came for {lived:.0f} s of {seconds}")
        gaps = [b["monotonic_us"] - a["monotonic_us"] for a, b in zip(answers, answers[1:])]
        demand(max(gaps, default=0) < 5e6, f"no answer for {max(gaps, default=0) / 1e6:.1f} s")

    started = said.uptime()
    demand(started is not None and 0.5 < started < 60, f"the first answer came at {started} s")

    late, early = said.memory.get("late", {}), said.memory.get("early", {})
    resident, budget = late.get("VmRSS", 0), board["budget"]["resident_bytes"]
    demand(1_000_000 < resident <= budget, f"resident memory {resident:,}, budget {budget:,}")
    demand(late.get("VmHWM", 0) <= budget, f"peak memory {late.get('VmHWM', 0):,}")
    grown = resident - early.get("VmRSS", 0)
    demand(grown <= 0.02 * resident, f"resident memory grew by {grown:,} bytes")

    # What graftd says of itself is what the console and the system say.
    counted = said.metrics.get("graft_answers_total", 0)
    demand(0 < counted <= len(answers), f"the metrics count {counted:.0f} of {len(answers)} answers")
    reported = said.metrics.get("process_resident_memory_bytes", 0)
    demand(abs(reported - resident) < 0.1 * resident + 1, f"the metrics say {reported:,.0f} bytes")

    # A line for each label, in the order of graftd.toml; the answer's is high.
    labels = [sink.rpartition("=")[2] for sink in sinks if sink.startswith("gpio:")]
    shown = dict(zip(labels, (level for _, level in sorted(said.lines.items()))))
    stable = {answer["stable"] for answer in answers[-3:]}
    demand(len(said.lines) == len(labels), f"graftd holds the GPIO lines {said.lines}")
    demand(stable != {None}, "no answer was a label")
    if len(stable) == 1:
        high = {label for label, level in shown.items() if level == "hi"}
        demand(high == stable, f"lines {high} are high, the answer is {stable}")

    demand("stopped 0" in said.words, "SIGTERM did not stop graftd cleanly")
    demand("alive after a clean stop" in said.words, "a clean stop left the watchdog armed")
    demand("killing" in said.words, "graftd did not start again")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graftd", type=Path, default=ROOT / "target/device/aarch64/graftd")
    parser.add_argument("--seconds", type=int, default=60, help="of live frames [60]")
    parser.add_argument("--console", type=Path, help="keep what the board said in this file")
    wanted = parser.parse_args()

    if not wanted.graftd.is_file():
        raise BoardError(f"there is no {wanted.graftd}: make device")
    board = tomllib.loads((ROOT / "firmware/boards/qemu-virt.toml").read_text())
    settings = (HERE / "graftd.toml").read_text()
    root = initramfs(wanted.graftd, settings, wanted.seconds)
    console = boot(board, root, limit=wanted.seconds + 240)
    if wanted.console:
        wanted.console.write_text("\n".join(console) + "\n")
    said = read(console)
    found = wrong(said, board, tomllib.loads(settings)["sinks"], wanted.seconds)

    answers = said.answers
    if answers:
        print(f"board: {len(answers)} answers to live frames, {answers[-1]['dropped']} dropped")
        labels = sorted({str(answer["label"]) for answer in answers})
        print(f"board: labels {', '.join(labels)}; lines {said.lines}")
    print(f"board: first answer {said.uptime()} s after the kernel started")
    for when, sizes in said.memory.items():
        print(f"board: {when}: " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()))
    for line in found:
        print(f"board: wrong: {line}", file=sys.stderr)
    if found:
        rest = [line for line in console if not line.startswith(("board: answer ", "board: metric "))]
        print("\n".join(rest[-40:]), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BoardError, OSError) as error:
        print(f"make board: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
