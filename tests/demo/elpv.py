#!/usr/bin/env python3
"""Solar cells, all three published splits: the linear probe, then fine-tuning.

`make elpv` has built graft, put it on PATH, and fetched the photos. Leaves
target/elpv/results.json: for each split the accuracy and F1 (macro) of both on the
held-out photos, the seconds that each took, and the mean accuracies; beside it the
bundles, and what each command said as JSON. The recipe is tests/elpv/recipe.toml.
"""

import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "target" / "elpv"
RECIPE = ROOT / "tests" / "elpv" / "recipe.toml"
SIZE = "300x300"
SPLITS = range(3)


def train(name: str, split: int, *words: str) -> dict:
    """Runs `graft train` as a person would type it; what it said as JSON."""
    said = OUT / f"{name}-{split}.json"
    bundle = OUT / f"{name}-{split}.graft"
    command = ["graft", "train", f".deps/elpv/split-{split}.csv", "-o", str(bundle.relative_to(ROOT))]
    command += [*words, "--image-size", SIZE, "--json-file", str(said.relative_to(ROOT))]
    print(f"\n$ {shlex.join(command)}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)
    return json.loads(said.read_text())


def of(said: dict) -> dict:
    test = said["evaluation"]
    return {"accuracy": test["accuracy"], "f1": test["f1"], "seconds": said["total_seconds"]}


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    splits = []
    try:
        for split in SPLITS:
            probe = of(train("probe", split))
            tuned = of(train("tuned", split, "--recipe", str(RECIPE.relative_to(ROOT))))
            splits.append({"split": split, "linear_probe": probe, "fine_tuned": tuned})
    except subprocess.CalledProcessError as failed:
        return failed.returncode if failed.returncode > 0 else 2
    learners = ["linear_probe", "fine_tuned"]
    mean = {name: statistics.fmean(one[name]["accuracy"] for one in splits) for name in learners}
    results = {"size": SIZE, "splits": splits, "mean_accuracy": mean}
    (OUT / "results.json").write_text(json.dumps(results, indent=2) + "\n")

    print(f"\n{'':8}{'linear probe':>16}{'fine-tuned':>16}{'F1':>8}{'minutes':>10}")
    for one in splits:
        probe, tuned = one["linear_probe"], one["fine_tuned"]
        minutes = (probe["seconds"] + tuned["seconds"]) / 60
        cells = f"{probe['accuracy']:>16.2%}{tuned['accuracy']:>16.2%}{tuned['f1']:>8.3f}{minutes:>10.1f}"
        print(f"split {one['split']} {cells}")
    print(f"{'mean':8}{mean['linear_probe']:>16.2%}{mean['fine_tuned']:>16.2%}")
    print("\nleft in target/elpv: results.json, the bundles, and what each command said as JSON")
    return 0


if __name__ == "__main__":
    sys.exit(main())
