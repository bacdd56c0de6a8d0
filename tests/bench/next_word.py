#!/usr/bin/env python3
"""What pretrained vectors buy for the next word, at several lengths of text.

    PATH=target/release:$PATH python3 tests/bench/next_word.py 20000 100000 ...

The text is the mails of SpamAssassin that are no spam and are plain text, without the
lines that they quote or that have an address in them. The mails of a fourth of the
groups are held out (copies of a mailing stay together), 40,000 words of them, spread over
all; of the other mails so many, spread likewise, are learned from that they have N words,
for each N. Leaves target/next-word/N.json and prints a
row of docs/results.md for each. More arguments of `graft train` behind `--`.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "target" / "next-word"
MAILS = ROOT / ".deps" / "spam_assassin" / "mails.jsonl"
VECTORS = ROOT / ".deps" / "glove-6b-50d" / "glove.6B.50d.txt"
HELD_OUT_WORDS = 40_000


def is_held_out(mail: dict) -> bool:
    return hashlib.sha256(mail["group"].encode()).digest()[0] < 64


def written(mail: dict) -> str | None:
    """What somebody wrote, if it is plain text."""
    text = mail["text"]
    if any(mark in text for mark in ("</", "=20", "=3D", "Content-Type:")):
        return None
    lines = [line for line in text.splitlines() if not line.lstrip().startswith((">", "|"))]
    return "\n".join(line for line in lines if "://" not in line and "@" not in line)


def spread(mails: list[dict], words: int, split: str) -> list[dict]:
    """Mails with about so many words between white space, spread over all, in order."""
    order = sorted(range(len(mails)), key=lambda i: hashlib.sha256(str(i).encode()).digest())
    chosen, have = [], 0
    for i in order:
        if have >= words:
            break
        have += len(mails[i]["text"].split())
        chosen.append(i)
    return [{"text": mails[i]["text"], "split": split} for i in sorted(chosen)]


def cell(one: dict, name: str, factor: float, digits: int) -> str:
    low, high = one[f"{name}_interval"]
    return f"{one[name] * factor:.{digits}f} ({low * factor:.{digits}f} to {high * factor:.{digits}f})"


def main() -> int:
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    sizes, more = [int(size) for size in arguments[:cut]], arguments[cut + 1:]
    OUT.mkdir(parents=True, exist_ok=True)
    mails = [json.loads(line) for line in MAILS.read_text().splitlines()]
    mails = [mail | {"text": written(mail)} for mail in mails if mail["label"] == "ham"]
    mails = [mail for mail in mails if mail["text"]]
    held_out = [mail for mail in mails if is_held_out(mail)]
    others = [mail for mail in mails if not is_held_out(mail)]
    print("| words | who | first | among three | perplexity |\n|---:|---|---:|---:|---:|")
    for size in sizes:
        data, said = OUT / f"{size}.jsonl", OUT / f"{size}.json"
        rows = spread(others, size, "train") + spread(held_out, HELD_OUT_WORDS, "test")
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = ["graft", "train", str(data), "--next-word", "--model", str(VECTORS)]
        command += ["-o", str(OUT / f"{size}.graft"), "--against-random", "--json-file", str(said)]
        subprocess.run(command + more, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        one = json.loads(said.read_text())
        for name, scores in [("GloVe 50d", one)] + [(r["name"], r) for r in one["rivals"]]:
            cells = [cell(scores, "top1", 100, 1), cell(scores, "top3", 100, 1), cell(scores, "perplexity", 1, 0)]
            print(f"| {size:,} | {name} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
