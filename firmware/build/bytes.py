#!/usr/bin/env python3
"""Where the bytes of a program go: its sections, and its code by crate.

    firmware/build/bytes.py target/device/aarch64/symbols/graftd

Takes a program with its symbols, and any binutils' `nm` and `size`. A generic
function counts for the crate that defines it, and a method of a foreign trait for
the crate of its type. What has no path is C or assembly: the engine's kernels are
told apart by their names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

# tract-linalg's, by the instruction sets that their names start with.
KERNEL = re.compile(r"^(apple_amx|arm64(simd|fp16)|armv7neon|armvfpv2|cortex_a\d+|sve|sme)_")
SECTIONS = (".text", ".rodata", ".data.rel.ro", ".eh_frame", ".gcc_except_table", ".ARM.exidx")


def output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def crate(symbol: str) -> str:
    if "::" not in symbol:
        if KERNEL.match(symbol):
            return "tract_linalg's assembly"
        if symbol.startswith("OUTLINED_FUNCTION"):
            return "sequences shared by functions"
        return "the C library"
    # `<&mut alloc::vec::Vec<T> as …>::f` belongs to alloc, `<T as std::io::Read>::f`
    # to the trait's crate.
    found = re.match(r"<?(?:&|mut |\*const |\*mut |\[|\(|dyn )*([A-Za-z_]\w*)(?=::)", symbol)
    if found is None:
        found = re.search(r" as ([A-Za-z_]\w*)::", symbol)
    return found[1] if found else "others"


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    program = sys.argv[1]
    print("section")
    for line in output("size", "-A", program):
        words = line.split()
        if words and words[0] in SECTIONS:
            print(f"{int(words[1]):>10,}  {words[0]}")
    code: Counter[str] = Counter()
    for line in output("nm", "--print-size", "--size-sort", "--demangle", program):
        words = line.split(maxsplit=3)
        if len(words) == 4 and words[2] in "tTwW":
            code[crate(words[3])] += int(words[1], 16)
    print("code of")
    for name, size in code.most_common(24):
        print(f"{size:>10,}  {name}")
    print(f"{sum(code.values()) - sum(n for _, n in code.most_common(24)):>10,}  all others")
    return 0


if __name__ == "__main__":
    sys.exit(main())
