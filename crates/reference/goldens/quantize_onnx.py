"""Makes quantize_onnx.safetensors: QuantizeLinear and DequantizeLinear by the ONNX reference evaluator.

    pip install numpy ml_dtypes onnx safetensors
    python crates/reference/goldens/quantize_onnx.py

Each case is a group of tensors `CASE.tensor`. ONNX divides by the scale, langevin multiplies by its inverse: under scales that
are powers of two (`exact_*`) that is the same, under others (`any_*`) a quotient within rounding of a tie may get the other of
its two codes. The output is deterministic; the versions that made it are in its metadata.
"""

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file

random = np.random.default_rng(20240608)
CODES = {
    "i8": (TensorProto.INT8, np.int8, 127.0),
    "e4m3": (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn, 448.0),
    "e5m2": (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2, 57344.0),
}
tensors = {}


def add(case, **parts):
    for name, part in parts.items():
        tensors[f"{case}.{name}"] = np.asarray(part, order="C")


def evaluate(op, inputs, output_type, **attributes):
    """The one output of a model of one node."""
    kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in inputs.items()}
    values = [helper.make_tensor_value_info(name, kind, inputs[name].shape) for name, kind in kinds.items()]
    node = helper.make_node(op, list(inputs), ["y"], **attributes)
    shape = next(iter(inputs.values())).shape
    graph = helper.make_graph([node], "golden", values, [helper.make_tensor_value_info("y", output_type, shape)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    onnx.checker.check_model(model)
    return ReferenceEvaluator(model).run(None, inputs)[0]


def numbers(rows, largest):
    """Numbers up to twice the largest code, ties of integers, and what is special."""
    special = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 127.5, 128.5, -127.5, -128.5, -129.5, 1e-30, 3e5, -3e5]
    wide = random.normal(size=(rows, 60)) * largest * 2.0 ** random.integers(-6, 1, (rows, 60))
    return np.concatenate([np.tile(special, (rows, 1)), wide], axis=1).astype(np.float32)


def quantize(case, name, scale, zero=None):
    """A scale for each row: axis 0."""
    kind, dtype, largest = CODES[name]
    x = numbers(len(scale), largest) * scale[:, None]
    zeros = np.zeros(len(scale), dtype) if zero is None else zero.astype(dtype)
    y = evaluate("QuantizeLinear", {"x": x, "scale": scale, "zero": zeros}, kind, axis=0, saturate=1)
    assert y.dtype == dtype
    add(case, x=x, scale=scale, q=y if name == "i8" else y.view(np.uint8))
    if zero is not None:
        add(case, zero_point=zero.astype(np.int32))
    back = evaluate("DequantizeLinear", {"x": y, "scale": scale, "zero": zeros}, TensorProto.FLOAT, axis=0)
    assert back.dtype == np.float32
    add(case, out=back)


powers = np.float32(2.0) ** np.array([-7, 0, 3, -20], np.float32)
others = np.array([0.1, 3.0, 1e-3, 0.7071], np.float32)
zero = np.array([0, -128, 127, 11])
for kind, scale in [("exact", powers), ("any", others)]:
    for name in CODES:
        quantize(f"{kind}_{name}", name, scale)
    quantize(f"{kind}_asymmetric", "i8", scale, zero)
versions = {"numpy": np.__version__, "ml_dtypes": ml_dtypes.__version__, "onnx": onnx.__version__}
save_file(tensors, Path(__file__).with_suffix(".safetensors"), metadata=versions)
