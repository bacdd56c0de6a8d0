"""Draws docs/plots/cuts.svg from what `make demo-sources` leaves.

    make demo-sources
    python3 docs/plots/cuts.py target/demo

Made with Python 3.11 and matplotlib 3.11.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "graft"
import matplotlib.pyplot as plt

demo = pathlib.Path(sys.argv[1])
models = [
    ("MobileNetV2", "cuts.json", "#1b4965"),
    ("EfficientNet-Lite0", "cuts-efficientnet_lite0.json", "#c8553d"),
    ("ResNet-50 thin (NSFW)", "cuts-resnet50_nsfw.json", "#588157"),
    ("VGG16 (MRI)", "cuts-vgg16_mri.json", "#8a6d9b"),
]

figure, axes = plt.subplots(figsize=(7.6, 4.2))
for name, file, colour in models:
    sweep = json.loads((demo / file).read_text())
    cuts = sweep["cuts"]
    adds = [cut["multiply_adds"] / 1e6 for cut in cuts]
    accuracy = [100 * cut["accuracy"] for cut in cuts]
    error = [100 * cut["standard_error"] for cut in cuts]
    axes.fill_between(
        adds,
        [a - e for a, e in zip(accuracy, error)],
        [a + e for a, e in zip(accuracy, error)],
        color=colour,
        alpha=0.12,
        linewidth=0,
    )
    axes.plot(adds, accuracy, "-o", color=colour, markersize=3, linewidth=1, label=name)
    chosen = sweep["chosen"]
    axes.plot(adds[chosen], accuracy[chosen], "o", color=colour, markersize=9, fillstyle="none")
axes.set_xscale("log")
axes.set_xlabel("million multiply-adds of what is left below the cut")
axes.set_ylabel("accuracy of a linear probe, %")
axes.grid(True, color="#e6e6e6")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper left")
figure.tight_layout()
figure.savefig(pathlib.Path(__file__).with_name("cuts.svg"), metadata={"Date": None})
