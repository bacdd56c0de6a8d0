"""Draws docs/plots/rank.svg from what `make demo-sources` leaves.

    make demo-sources
    python3 docs/plots/rank.py target/demo

Made with Python 3.11 and matplotlib 3.11.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "graft"
import matplotlib.pyplot as plt

# As in cuts.py.
models = {
    "mobilenet_v2": ("MobileNetV2", "#1b4965"),
    "efficientnet_lite0": ("EfficientNet-Lite0", "#c8553d"),
    "resnet50_nsfw": ("ResNet-50 thin (NSFW)", "#588157"),
    "vgg16_mri": ("VGG16 (MRI)", "#8a6d9b"),
}
ranking = json.loads((pathlib.Path(sys.argv[1]) / "rank.json").read_text())
sources = sorted(ranking["sources"], key=lambda source: source["latency"]["p50_ms"])

figure, axes = plt.subplots(figsize=(7.6, 3.6))
right = 2 * sources[-1]["latency"]["p50_ms"]
front = [(s["latency"]["p50_ms"], 100 * s["probe_accuracy"]) for s in sources if s["pareto"]]
axes.step(
    [x for x, _ in front] + [right],
    [y for _, y in front] + [front[-1][1]],
    where="post",
    color="#444444",
    linewidth=1,
    linestyle="--",
    label="the best for the time",
)
for source in sources:
    name, colour = models[source["name"]]
    axes.errorbar(
        source["latency"]["p50_ms"],
        100 * source["probe_accuracy"],
        100 * source["probe_standard_error"],
        fmt="o",
        color=colour,
        markersize=8,
        markerfacecolor=colour if source["pareto"] else "white",
        elinewidth=1,
        label=name,
    )
axes.set_xscale("log")
axes.set_xlim(10, right)
axes.set_xticks([10, 20, 50, 100, 200, 500, 1000], ["10", "20", "50", "100", "200", "500", "1000"])
axes.minorticks_off()
axes.set_xlabel("ms a photo up to the cut, in the device engine on one core")
axes.set_ylabel("accuracy of a linear probe, %")
axes.grid(True, color="#e6e6e6")
axes.set_axisbelow(True)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.62, 0.0))
figure.tight_layout()
figure.savefig(pathlib.Path(__file__).with_name("rank.svg"), metadata={"Date": None})
