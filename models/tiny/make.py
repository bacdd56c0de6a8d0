"""Writes tiny.onnx: a few-KB classifier with seeded random weights, for tests.

The operators are those that small image networks are made of (strided,
depthwise and 1x1 convolutions, Relu, Clip, global pooling, Gemm), the batch is
dynamic, and the answer means nothing. The same numpy and onnx write the same
bytes:

    python make.py        # onnx 1.23.2, numpy 2.4.6
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(20240917)


def weights(name, *shape):
    """He initialisation, so that activations keep their size through the layers."""
    fan_in = int(np.prod(shape[1:]))
    values = rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)
    return numpy_helper.from_array(values.astype(np.float32), name)


def bias(name, length):
    return numpy_helper.from_array((rng.standard_normal(length) * 0.1).astype(np.float32), name)


initializers = [
    weights("stem.weight", 8, 3, 3, 3),
    bias("stem.bias", 8),
    weights("depthwise.weight", 8, 1, 3, 3),
    bias("depthwise.bias", 8),
    numpy_helper.from_array(np.float32(0.0), "clip.min"),
    numpy_helper.from_array(np.float32(6.0), "clip.max"),
    weights("pointwise.weight", 16, 8, 1, 1),
    bias("pointwise.bias", 16),
    weights("classifier.weight", 4, 16),
    bias("classifier.bias", 4),
]

nodes = [
    helper.make_node(
        "Conv", ["images", "stem.weight", "stem.bias"], ["stem"], "stem",
        kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2],
    ),
    helper.make_node("Relu", ["stem"], ["stem_relu"], "stem_relu"),
    helper.make_node(
        "Conv", ["stem_relu", "depthwise.weight", "depthwise.bias"], ["depthwise"], "depthwise",
        kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=8,
    ),
    helper.make_node("Clip", ["depthwise", "clip.min", "clip.max"], ["depthwise_clip"], "depthwise_clip"),
    helper.make_node(
        "Conv", ["depthwise_clip", "pointwise.weight", "pointwise.bias"], ["pointwise"], "pointwise",
        kernel_shape=[1, 1], strides=[2, 2],
    ),
    helper.make_node("GlobalAveragePool", ["pointwise"], ["pooled"], "pool"),
    helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"),
    helper.make_node(
        "Gemm", ["flat", "classifier.weight", "classifier.bias"], ["scores"], "classifier", transB=1,
    ),
]

graph = helper.make_graph(
    nodes,
    "tiny",
    [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 32, 32])],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 4])],
    initializers,
)
model = helper.make_model(graph, producer_name="graft", opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 8
onnx.checker.check_model(model, full_check=True)
path = Path(__file__).with_name("tiny.onnx")
path.write_bytes(model.SerializeToString(deterministic=True))
print(path.name, path.stat().st_size, "bytes")
