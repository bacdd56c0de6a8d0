"""The mails of SpamAssassin's public corpus, a line of JSON each.

A text is a mail's subject and its body as it was sent; what the servers wrote above
it would tell when it was caught. Mails that share half of what they say get one group:
mass mailings came more than once, and must not be on both sides of a split.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from typing import TextIO

# Runs of so many words are compared, by so many of their smallest hashes.
RUN, SKETCH = 5, 32
WORD = re.compile(r"\w+")
SUBJECT = re.compile(r"^subject:[ \t]*(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)


def write(archive: tarfile.TarFile, into: TextIO) -> None:
    mails: dict[str, dict] = {}
    order: list[str] = []
    for member in archive:
        name = member.name.removeprefix("package/data/")
        if name == "file_list.json":
            order = json.load(archive.extractfile(member))
        elif member.name != name and name.endswith(".json"):
            mails[name.removesuffix(".json")] = json.load(archive.extractfile(member))
    chosen = [mails[name.removesuffix(".txt")] for name in order]
    texts = [said(mail["text"]) for mail in chosen]
    for mail, text, group in zip(chosen, texts, groups(texts)):
        label = "spam" if mail["group"].startswith("spam") else "ham"
        into.write(json.dumps({"text": text, "label": label, "group": f"g{group:04}", "stratify": mail["group"]}) + "\n")


def said(mail: str) -> str:
    head, _, body = mail.replace("\r\n", "\n").partition("\n\n")
    subject = SUBJECT.search(head)
    return f"{subject[1]}\n{body}" if subject else body


def groups(texts: list[str]) -> list[int]:
    """For each text the first one that it is, over others perhaps, nearly the same as."""
    parent = list(range(len(texts)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    holders: dict[int, list[int]] = {}
    for at, text in enumerate(texts):
        words = WORD.findall(text.lower())
        runs = {" ".join(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}
        sketch = sorted(zlib.crc32(run.encode()) for run in runs)[:SKETCH]
        shared: dict[int, int] = {}
        for value in sketch:
            for other in holders.setdefault(value, []):
                shared[other] = shared.get(other, 0) + 1
            holders[value].append(at)
        for other, count in shared.items():
            if 2 * count >= len(sketch):
                first, second = sorted((root(at), root(other)))
                parent[second] = first
    return [root(at) for at in range(len(texts))]
