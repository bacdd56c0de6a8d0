"""Times PyTorch beside graft: features of the same JPEG files by MobileNetV2.

    python tests/bench/against_pytorch.py PROGRAM [ROUNDS [PHOTOS]]

PROGRAM is `target/release/interleave`; ORT_DYLIB_PATH names ONNX Runtime.

PyTorch's side is what people write first: a DataLoader whose workers read with
Pillow and torchvision's transforms, and the eager model in inference mode. It is
measured twice: as it is usually set up (USUAL), and in the fastest set-up that a
sweep finds; both with workers running and model warm. graft's side is one call
of its library, the opening of its sessions included. In every round all three
run one after the other, so that they see the same noise of the machine; the
ratios are of medians over the rounds. The model's weights are random, which
changes no time.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import PIL
import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

CORES = len(os.sched_getaffinity(0))
# Processes that load; threads of the model; photos a batch.
USUAL = (CORES, CORES, 32)
SETUPS = [
    (workers, threads, batch)
    for workers in (1, CORES)
    for threads in (1, CORES)
    for batch in (1, 8, 32)
]
# Enough to tell set-ups apart.
SWEPT = 64


class Photos(Dataset):
    def __init__(self, paths):
        self.paths = paths
        self.prepare = transforms.Compose(
            [
                transforms.Resize((224, 224)),
                transforms.ToTensor(),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as photo:
            return self.prepare(photo.convert("RGB"))


class PyTorch:
    def __init__(self, paths, setup):
        workers, self.threads, batch = setup
        self.name = f"workers {workers}, threads {self.threads}, batch {batch}"
        self.model = torchvision.models.mobilenet_v2(weights=None).eval()
        self.loader = DataLoader(Photos(paths), batch, num_workers=workers, persistent_workers=True)
        self.seconds()

    def seconds(self):
        torch.set_num_threads(self.threads)
        start = time.perf_counter()
        features = []
        with torch.inference_mode():
            for batch in self.loader:
                features.append(self.model.features(batch).mean([2, 3]))
        features = torch.cat(features)
        seconds = time.perf_counter() - start
        assert features.shape == (len(self.loader.dataset), 1280)
        return seconds


def best(paths):
    times = []
    for setup in SETUPS:
        # One at a time, so that no idle workers of others are about.
        run = PyTorch(paths[:SWEPT], setup)
        times.append((min(run.seconds() for _ in range(2)), setup))
        print(f"  {run.name}: {1e3 * times[-1][0] / SWEPT:.1f} ms a photo", flush=True)
    return min(times)[1]


def graft(program, folder):
    out = subprocess.run(
        [program, "features", folder], capture_output=True, text=True, check=True
    ).stdout.split()
    return float(out[out.index("seconds") + 1].rstrip(";"))


def main():
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    photos = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, "
        f"Pillow {PIL.__version__}, {CORES} cores, {photos} photos, {rounds} rounds"
    )
    with tempfile.TemporaryDirectory() as root:
        subprocess.run([program, "photos", root, "--photos", str(photos)], check=True)
        for folder in sorted(Path(root).iterdir()):
            print(f"{folder.name}, PyTorch's set-ups:")
            paths = sorted(folder.iterdir())
            runs = {"usual": PyTorch(paths, USUAL), "best": PyTorch(paths, best(paths))}
            times = {name: [] for name in (*runs, "graft")}
            for _ in range(rounds):
                for name, run in runs.items():
                    times[name].append(run.seconds())
                times["graft"].append(graft(program, folder))
            millis = {name: 1e3 * statistics.median(t) / photos for name, t in times.items()}
            print(f"{folder.name}: graft {millis['graft']:.2f} ms a photo")
            for name, run in runs.items():
                ratio = millis[name] / millis["graft"]
                print(
                    f"  PyTorch, {name} ({run.name}): {millis[name]:.2f} ms a photo, "
                    f"graft is {ratio:.2f} times as fast",
                    flush=True,
                )


if __name__ == "__main__":  # the loader's workers may import this file
    main()
