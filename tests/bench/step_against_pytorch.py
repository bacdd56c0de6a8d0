"""Times a training step of graft beside PyTorch's, on the same layers.

    python tests/bench/step_against_pytorch.py PROGRAM [ROUNDS [BATCH [NETWORK]]]

PROGRAM is `target/release/interleave`, which writes graft's step: forward, loss,
backward and SGD with momentum as one ONNX graph. It runs in ONNX Runtime, bound as
graft binds it: state in two sets of buffers that are swapped. PyTorch runs the same
layers eagerly, batch normalisation in evaluation mode, with torch.optim.SGD.

Two things are timed: the trained part alone, on tensors at the cut, and the whole
step, from images through the frozen part. All four run one after the other in each
round, on all cores that this process may use; ratios are of medians over the rounds,
the first of which is left out. Weights are random, which changes no time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torchvision

CORES = len(os.sched_getaffinity(0))
CLASSES = 10


def mobilenet_v2():
    net = torchvision.models.mobilenet_v2(num_classes=CLASSES)
    below, above = net.features[:15], net.features[15:]
    head = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), net.classifier[1])
    return below, torch.nn.Sequential(above, head)


def resnet18():
    net = torchvision.models.resnet18(num_classes=CLASSES)
    below = torch.nn.Sequential(
        net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3
    )
    return below, torch.nn.Sequential(net.layer4, net.avgpool, torch.nn.Flatten(), net.fc)


def vgg11():
    net = torchvision.models.vgg11(num_classes=CLASSES)
    # The large dense layers stay out: see docs/finetuning.md.
    head = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, CLASSES)
    )
    return net.features[:16], torch.nn.Sequential(net.features[16:], head)


NETWORKS = {"mobilenet_v2": mobilenet_v2, "resnet18": resnet18, "vgg11": vgg11}


class Joined(torch.nn.Module):
    def __init__(self, below, above):
        super().__init__()
        self.below, self.above = below, above

    def forward(self, images):
        cut = self.below(images)
        return cut, self.above(cut)


def graft_step(program, below, above, batch, folder):
    """Graft's graphs of an exported network, and functions that run them."""
    path = folder / "network.onnx"
    torch.onnx.export(
        Joined(below, above).eval(),
        torch.zeros(1, 3, 224, 224),
        path,
        opset_version=17,
        dynamo=False,
        input_names=["images"],
        output_names=["cut", "logits"],
        dynamic_axes={name: {0: "batch"} for name in ("images", "cut", "logits")},
    )
    subprocess.run([program, "step", folder, path, "cut", str(batch)], check=True)
    facts = json.loads((folder / "step.json").read_text())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = CORES
    options.log_severity_level = 3

    def session(name):
        return onnxruntime.InferenceSession(
            folder / name, options, providers=["CPUExecutionProvider"]
        )

    frozen, step = session("below.onnx"), session("step.onnx")
    values = np.fromfile(folder / "state.f32", np.float32)
    sets, at = ({}, {}), 0
    for state in facts["state"]:
        count = int(np.prod(state["shape"], dtype=int))
        value = values[at : at + count].reshape(state["shape"])
        at += count
        for which in sets:
            which[state["input"]] = onnxruntime.OrtValue.ortvalue_from_numpy(value.copy())
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(batch) % CLASSES]
    row_weights = np.full(batch, 1 / batch, np.float32)
    schedule = np.array([1e-3, 1, 1], np.float32)
    turn = [0]

    def train(cut):
        old, new = sets[turn[0] % 2], sets[(turn[0] + 1) % 2]
        turn[0] += 1
        binding = step.io_binding()
        fed = {"examples": cut, "targets": targets, "row_weights": row_weights, "schedule": schedule}
        for name, value in fed.items():
            binding.bind_cpu_input(facts[name]["name"], value)
        for state in facts["state"]:
            binding.bind_ortvalue_input(state["input"], old[state["input"]])
            binding.bind_ortvalue_output(state["output"], new[state["input"]])
        binding.bind_output(facts["loss"])
        step.run_with_iobinding(binding)

    def whole(images):
        train(frozen.run(["cut"], {"images": images})[0])

    return train, whole


def pytorch_step(below, above, batch):
    below.eval().requires_grad_(False)
    above.eval()
    optimiser = torch.optim.SGD(above.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    targets = torch.arange(batch) % CLASSES

    def train(cut):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(above(cut), targets).backward()
        optimiser.step()

    def whole(images):
        with torch.no_grad():
            cut = below(images)
        train(cut)

    return train, whole


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    batch = int(sys.argv[3]) if len(sys.argv) > 3 else 32
    names = sys.argv[4:] or list(NETWORKS)
    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}, batch {batch}")
    for name in names:
        below, above = NETWORKS[name]()
        images = np.random.default_rng(0).standard_normal((batch, 3, 224, 224), np.float32)
        with torch.no_grad():
            cut = below.eval()(torch.from_numpy(images))
        with tempfile.TemporaryDirectory() as folder:
            ours = graft_step(program, below, above, batch, Path(folder))
            theirs = pytorch_step(below, above, batch)
            inputs = [(cut.numpy(), cut), (images, torch.from_numpy(images))]
            times = {}
            for number in range(rounds + 1):
                for what, (array, tensor) in zip(("trained part", "whole step"), inputs):
                    index = 0 if what == "trained part" else 1
                    for who, run, given in (("graft", ours, array), ("pytorch", theirs, tensor)):
                        start = time.perf_counter()
                        run[index](given)
                        if number:
                            times.setdefault((what, who), []).append(time.perf_counter() - start)
            for what in ("trained part", "whole step"):
                graft, pytorch = (statistics.median(times[what, who]) for who in ("graft", "pytorch"))
                print(f"{name:14} {what:13} {graft / pytorch:.2f} of PyTorch's time")


if __name__ == "__main__":
    main()
