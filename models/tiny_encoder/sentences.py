#!/usr/bin/env python3
"""The synthetic sentences of docs/format.md, and the digests of their ids with this
folder's tokenizer: what crates/input/tests/tokens.rs expects.

    pip install tokenizers==0.23.2
    python sentences.py
"""

import hashlib
import struct
from pathlib import Path

from tokenizers import Tokenizer

MASK = (1 << 64) - 1
ODD = ["naïve", "Größe", "ŁÓDŹ", "東京", "Ωμέγα", "été", "привет", "½ﬁ"]
BEHIND = {0: ", ", 1: ". ", 2: "-", 3: "'s "}


def split_mix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def sentence(seed, words):
    numbers, text = split_mix(seed), ""
    for _ in range(words):
        n = next(numbers)
        if n & 7 == 0:
            text += f"q{next(numbers):016x}"
        elif n & 7 == 1:
            text += str((n >> 16) % 100_000)
        elif n & 7 == 2:
            text += ODD[(n >> 16) & 7]
        else:
            for _ in range(1 + ((n >> 3) & 3)):
                m = next(numbers)
                syllable = "bcdfghjklmnprstvwz"[m % 18] + "aeiou"[(m >> 8) % 5]
                text += syllable.upper() if (n >> 5) & 7 == 0 else syllable
        text += BEHIND.get((n >> 8) & 7, " ")
    return text


tokenizer = Tokenizer.from_file(str(Path(__file__).with_name("tokenizer.json")))
tokenizer.no_padding()
tokenizer.enable_truncation(4000)
for seed, words in [(1, 12), (2, 60), (3, 200)]:
    text = sentence(seed, words)
    ids = tokenizer.encode(text).ids
    digest = hashlib.sha256(struct.pack(f"<{len(ids)}f", *ids)).hexdigest()
    print(seed, words, repr(text[:24]), len(ids), digest)
