#!/usr/bin/env python3
"""Mails, spam or not, with GloVe's word vectors: five-fold cross-validation.

`make demo-text` has built graft, put it on PATH, and fetched mails and vectors. The
mails are divided by their groups, so that copies of a mass mailing stay together; each
fifth is held out once, for a head on the vectors as they are and for tuned ones. Leaves
target/text/results.json, the last fold's bundles target/text/spam.graft and
tuned.graft, and what each command said as JSON. The baseline beside it,
TF-IDF and logistic regression on the same five divisions, was computed by
text_baseline.py, with scikit-learn, and is stored in text_baseline.json.
"""

import hashlib
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "target" / "text"
MAILS = ROOT / ".deps" / "spam_assassin" / "mails.jsonl"
VECTORS = ROOT / ".deps" / "glove-6b-50d" / "glove.6B.50d.txt"
BASELINE = Path(__file__).with_name("text_baseline.json")
FOLDS = 5


def mails() -> list[dict]:
    return [json.loads(line) for line in MAILS.read_text().splitlines()]


def folds(of: list[dict]) -> list[int]:
    """For each mail its fold: whole groups in an order that says nothing, each into
    the smallest fold so far, the largest groups first."""
    sizes: dict[str, int] = {}
    for mail in of:
        sizes[mail["group"]] = sizes.get(mail["group"], 0) + 1
    order = sorted(sizes, key=lambda group: (-sizes[group], hashlib.sha256(group.encode()).digest()))
    filled, fold = [0] * FOLDS, {}
    for group in order:
        fold[group] = filled.index(min(filled))
        filled[fold[group]] += sizes[group]
    return [fold[mail["group"]] for mail in of]


def wilson(right: int, of: int) -> list[float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.959964, right / of
    middle = share + z * z / (2 * of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return [(middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)]


def split(fold: int, all_mails: list[dict], fold_of: list[int]) -> Path:
    data = OUT / f"fold-{fold}.jsonl"
    with data.open("w") as file:
        for mail, its in zip(all_mails, fold_of):
            file.write(json.dumps(mail | {"split": "test" if its == fold else "train"}) + "\n")
    return data


def train(data: Path, name: str, flags: list[str]) -> dict:
    bundle, said = OUT / f"{name}.graft", OUT / f"{data.stem}-{name}.json"
    paths = [str(path.relative_to(ROOT)) for path in (data, VECTORS, bundle, said)]
    command = ["graft", "train", paths[0], "--model", paths[1], "-o", paths[2]]
    command += [*flags, "--json-file", paths[3]]
    print(f"\n$ {shlex.join(command)}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)
    return json.loads(said.read_text())


def summary(said: list[dict], accuracies: list[float]) -> dict:
    sizes = [one["evaluation"]["examples"] for one in said]
    right = sum(round(accuracy * size) for accuracy, size in zip(accuracies, sizes))
    interval = wilson(right, sum(sizes))
    return {"accuracy": right / sum(sizes), "accuracy_interval": interval, "folds": accuracies}


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    all_mails = mails()
    fold_of = folds(all_mails)
    baseline = json.loads(BASELINE.read_text())
    try:
        data = [split(fold, all_mails, fold_of) for fold in range(FOLDS)]
        solved = [train(one, "spam", ["--pooling", "max-mean"]) for one in data]
        tuned = [train(one, "tuned", ["--fine-tune", "vectors", "--epochs", "4", "--quiet"]) for one in data]
    except subprocess.CalledProcessError as failed:
        return failed.returncode if failed.returncode > 0 else 2
    tested = sum(one["evaluation"]["examples"] for one in solved)
    results = {
        "mails": len(all_mails),
        "tested": tested,
        **summary(solved, [one["accuracy"] for one in solved]),
        "mean": summary(tuned, [one["linear_probe"] for one in tuned]),
        "tuned": summary(tuned, [one["accuracy"] for one in tuned]),
        "best_epochs": [one["fine_tuning"]["best_epoch"] for one in tuned],
        "bundle_bytes": (OUT / "spam.graft").stat().st_size,
        "baseline": baseline,
    }
    (OUT / "results.json").write_text(json.dumps(results, indent=2) + "\n")

    def line(name: str, of: dict) -> None:
        low, high = of["accuracy_interval"]
        folds_text = " ".join(f"{share:.1%}" for share in of["folds"])
        print(f"{name:34}{of['accuracy']:7.1%}  ({low:.1%} to {high:.1%})   {folds_text}")

    spam = sum(mail["label"] == "spam" for mail in all_mails) / len(all_mails)
    print(f"\n{tested} mails, each held out once; the largest class is {max(spam, 1 - spam):.1%}\n")
    line("GloVe 50d, mean, linear head", results["mean"])
    line("GloVe 50d, max-mean, linear head", results)
    line("GloVe 50d, mean, vectors tuned", results["tuned"])
    if baseline["tested"] == len(all_mails):
        baseline["accuracy_interval"] = wilson(baseline["right"], baseline["tested"])
        line("TF-IDF, logistic regression", baseline)
    else:
        print(f"{BASELINE.name} is of other mails: text_baseline.py computes it anew")
    print(f"\nthe bundle has {results['bundle_bytes'] / 1e6:.1f} MB")
    print("left in target/text: results.json, spam.graft, tuned.graft, and what each command said as JSON")
    return 0


if __name__ == "__main__":
    sys.exit(main())
