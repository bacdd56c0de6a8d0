#!/usr/bin/env python3
"""Checks what `make demo` left: the promises of docs/json.md that the demo stands for."""

import json
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent.parent / "target" / "demo"
TRAIN_KEYS = [
    "accuracy",
    "baseline_accuracy",
    "ece",
    "examples",
    "skipped",
    "features_seconds",
    "inference_seconds",
]


def main() -> int:
    train = json.loads((DEMO / "train.json").read_text())
    compare = json.loads((DEMO / "compare.json").read_text())
    checks = {
        "solar.graft is there": (DEMO / "solar.graft").stat().st_size > 0,
        "train.json has its numbers": all(isinstance(train.get(key), (int, float)) for key in TRAIN_KEYS),
        "all 2,624 photos were used": train["examples"] == 2624 and train["skipped"] == 0,
        "better than the majority class": train["accuracy"] > train["baseline_accuracy"],
        "all 656 held-out photos were compared": compare["examples"] == 656 and compare["skipped"] == 0,
        "probabilities within 1e-4": compare["max_abs_diff"] <= 1e-4,
        "no disagreement": compare["disagreements"] == 0,
    }
    for what, holds in checks.items():
        print(f"{'ok ' if holds else 'NOT'} {what}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
