"""Draws docs/plots/elpv.svg from the JSON of twelve training runs.

    for split in 0 1 2; do
      graft train .deps/elpv/split-$split.csv --model mobilenet_v2 --name solar \
        --output out.graft --json-file runs/mobilenet_v2-linear-$split.json
      graft train … --head mlp                    runs/mobilenet_v2-mlp-$split.json
      graft train … --model efficientnet_lite0    runs/efficientnet_lite0-linear-$split.json
    done
    make elpv; cp target/elpv/tuned-?.json runs/
    python3 docs/plots/elpv.py runs

Made with Python 3.11 and matplotlib 3.11. The published figures are those of
Deitsch et al. 2019, "Automatic classification of defective photovoltaic module
cells in electroluminescence images", Solar Energy 185.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "graft"
import matplotlib.pyplot as plt

runs = pathlib.Path(sys.argv[1])
rows = [
    ("MobileNetV2, fine-tuned", "tuned"),
    ("VGG-19 fine-tuned on a GPU (published)", 88.42),
    ("EfficientNet-Lite0, linear head", "efficientnet_lite0-linear"),
    ("MobileNetV2, MLP head", "mobilenet_v2-mlp"),
    ("MobileNetV2, linear head", "mobilenet_v2-linear"),
    ("features by hand + SVM (published)", 82.44),
    ("always “functional”", 68.8),
]
ours, others = "#1b4965", "#8a8a8a"

figure, axes = plt.subplots(figsize=(7.6, 3.4))
for y, (_, source) in enumerate(reversed(rows)):
    if isinstance(source, float):
        values, colour = [source], others
    else:
        files = [runs / f"{source}-{split}.json" for split in range(3)]
        values = [100 * json.loads(file.read_text())["accuracy"] for file in files]
        colour = ours
        axes.plot(values, [y] * 3, "o", color="#9cc3d5", markersize=5)
    mean = sum(values) / len(values)
    axes.plot([mean, mean], [y - 0.3, y + 0.3], color=colour, linewidth=2.5)
    axes.annotate(f"{mean:.1f} %", (max(values) + 0.4, y), va="center", color=colour)
axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
axes.set_xlim(67, 92)
axes.set_xlabel("accuracy on held-out cells, %; dots: three splits, bar: mean")
axes.grid(axis="x", color="#eeeeee")
axes.set_axisbelow(True)
for side in ("top", "right", "left"):
    axes.spines[side].set_visible(False)
axes.tick_params(axis="y", length=0)
figure.tight_layout()
figure.savefig("docs/plots/elpv.svg", metadata={"Date": None})
