"""Holds `graft export --onnx` against onnx's checker and Python's ONNX Runtime:

    python check.py GRAFT BUNDLE PHOTO...

Exports the bundle, checks the file in full, and compares its probabilities with
what `graft predict` answers for the same photos in the device engine. The photos
must already have the size of the network's input, so that no resizing of ours is
needed here to make the same tensor. See README.md for versions.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

LARGEST_DIFFERENCE = 1e-4


def prepare(photo, spec):
    """docs/format.md, "Preparing a picture", for a photo of the right size."""
    pixels = np.asarray(Image.open(photo).convert("RGB"), dtype=np.float64)
    assert pixels.shape[:2] == (spec["height"], spec["width"]), f"{photo} is not of the input's size"
    assert spec["colour"] in ("rgb", "bgr"), spec["colour"]
    if spec["colour"] == "bgr":
        pixels = pixels[:, :, ::-1]
    tensor = ((pixels / spec["scale"] - spec["mean"]) / spec["std"]).astype(np.float32)
    return tensor[None] if spec["layout"] == "nhwc" else tensor.transpose(2, 0, 1)[None].copy()


def main():
    graft, bundle, *photos = sys.argv[1:]

    def run(*words):
        return json.loads(subprocess.check_output([graft, *words, "--json"]))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exported.onnx"
        exported = run("export", bundle, "--onnx", str(path))
        model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    metadata = {p.key: p.value for p in model.metadata_props}
    labels, spec = json.loads(metadata["graft.labels"]), json.loads(metadata["graft.input"])
    inspected = run("inspect", bundle)["bundle"]
    assert labels == inspected["labels"] and spec == inspected["input"]
    if inspected["unknown_below"] is not None:
        assert np.float32(metadata["graft.unknown_below"]) == np.float32(inspected["unknown_below"])

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == exported["outputs"]
    predictions = run("predict", bundle, "--top", str(len(labels)), *photos)["predictions"]
    assert len(predictions) == len(photos)
    largest = 0.0
    for prediction in predictions:
        tensor = prepare(prediction["path"], spec)
        _, logits, probabilities = session.run(None, {session.get_inputs()[0].name: tensor})
        scaled = logits[0].astype(np.float64) / inspected["temperature"]
        softmax = np.exp(scaled - scaled.max())
        assert np.abs(probabilities[0] - softmax / softmax.sum()).max() < 1e-6
        for entry in prediction["top"]:
            there = probabilities[0][labels.index(entry["label"])]
            largest = max(largest, abs(float(there) - entry["probability"]))
    print(
        f"{Path(bundle).name}: onnx {onnx.__version__} finds nothing wrong; "
        f"ONNX Runtime {onnxruntime.__version__} and graft differ by {largest:.1e} of a probability "
        f"at most on {len(photos)} photos"
    )
    sys.exit(largest > LARGEST_DIFFERENCE)


if __name__ == "__main__":
    main()
