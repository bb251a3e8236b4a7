"""The operators: the one place where each is registered.

To add an operator that others can express (a pool that is a convolution, say): write a reader, add it to ``READERS``.
To add a new one: write its class in a file here, add it to ``OPERATORS``, and give it a transformer in the table of
each domain (``pyprover/domains``); a test names the cell that is missing.
"""

from __future__ import annotations

from pyprover.graph import Operator
from pyprover.ops.activation import (
    PRelu,
    Relu,
    Sigmoid,
    Tanh,
    read_abs,
    read_leaky_relu,
    read_prelu,
    read_relu,
    read_sigmoid,
    read_tanh,
)
from pyprover.ops.axes import read_global_average_pool, read_reduce_mean, read_reduce_sum
from pyprover.ops.broadcast import read_expand, read_tile
from pyprover.ops.conv import Conv, read_average_pool, read_conv
from pyprover.ops.conv_transpose import ConvTranspose, read_conv_transpose
from pyprover.ops.dense import Dense
from pyprover.ops.elementwise import (
    Add,
    Scale,
    read_add,
    read_batch_normalization,
    read_neg,
    read_scaler,
    read_sub,
    read_sum,
)
from pyprover.ops.functions import (
    Clip,
    Elu,
    Erf,
    Exp,
    Gelu,
    HardSwish,
    Log,
    Power,
    Reciprocal,
    Sign,
    Softplus,
    Sqrt,
    read_clip,
    read_elu,
    read_function,
    read_gelu,
    read_hard_sigmoid,
    read_pow,
    read_selu,
)
from pyprover.ops.gather import Gather, read_gather, read_slice, read_split
from pyprover.ops.matmul import read_gemm, read_matmul
from pyprover.ops.maxima import read_global_max_pool, read_max, read_min, read_reduce_max, read_reduce_min
from pyprover.ops.padding import Concat, Pad, read_concat, read_pad
from pyprover.ops.pool import MaxPool, read_max_pool
from pyprover.ops.product import Product, read_div, read_mul
from pyprover.ops.quantize import Round, read_dequantize, read_quantize, read_round
from pyprover.ops.reading import Reader
from pyprover.ops.resize import read_resize, read_upsample
from pyprover.ops.shapes import (
    Reshape,
    Transpose,
    read_cast,
    read_flatten,
    read_identity,
    read_reshape,
    read_squeeze,
    read_transpose,
    read_unsqueeze,
)
from pyprover.ops.softmax import LogSumExp, read_log_softmax, read_reduce_log_sum_exp, read_softmax

__all__ = [
    "OPERATORS",
    "READERS",
    "Add",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Elu",
    "Erf",
    "Exp",
    "Gather",
    "Gelu",
    "HardSwish",
    "Log",
    "LogSumExp",
    "MaxPool",
    "PRelu",
    "Pad",
    "Power",
    "Product",
    "Reciprocal",
    "Relu",
    "Reshape",
    "Round",
    "Scale",
    "Sigmoid",
    "Sign",
    "Softplus",
    "Sqrt",
    "Tanh",
    "Transpose",
]

OPERATORS: tuple[type[Operator], ...] = (
    Add,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Elu,
    Erf,
    Exp,
    Gather,
    Gelu,
    HardSwish,
    Log,
    LogSumExp,
    MaxPool,
    PRelu,
    Pad,
    Power,
    Product,
    Reciprocal,
    Relu,
    Reshape,
    Round,
    Scale,
    Sigmoid,
    Sign,
    Softplus,
    Sqrt,
    Tanh,
    Transpose,
)
"""The intermediate form: what the domains must know."""

READERS: dict[str, Reader] = {
    "Abs": read_abs,
    "Add": read_add,
    "AveragePool": read_average_pool,
    "BatchNormalization": read_batch_normalization,
    "Cast": read_cast,
    "Clip": read_clip,
    "Concat": read_concat,
    "Conv": read_conv,
    "ConvTranspose": read_conv_transpose,
    "DequantizeLinear": read_dequantize,
    "Div": read_div,
    "Dropout": read_identity,
    "Elu": read_elu,
    "Erf": read_function(Erf),
    "Exp": read_function(Exp),
    "Expand": read_expand,
    "Flatten": read_flatten,
    "Gather": read_gather,
    "Gelu": read_gelu,
    "Gemm": read_gemm,
    "GlobalAveragePool": read_global_average_pool,
    "GlobalMaxPool": read_global_max_pool,
    "HardSigmoid": read_hard_sigmoid,
    "HardSwish": read_function(HardSwish),
    "Identity": read_identity,
    "LeakyRelu": read_leaky_relu,
    "Log": read_function(Log),
    "LogSoftmax": read_log_softmax,
    "MatMul": read_matmul,
    "Max": read_max,
    "MaxPool": read_max_pool,
    "Min": read_min,
    "Mul": read_mul,
    "Neg": read_neg,
    "PRelu": read_prelu,
    "Pad": read_pad,
    "Pow": read_pow,
    "QuantizeLinear": read_quantize,
    "Reciprocal": read_function(Reciprocal),
    "ReduceLogSumExp": read_reduce_log_sum_exp,
    "ReduceMax": read_reduce_max,
    "ReduceMean": read_reduce_mean,
    "ReduceMin": read_reduce_min,
    "ReduceSum": read_reduce_sum,
    "Relu": read_relu,
    "Reshape": read_reshape,
    "Resize": read_resize,
    "Round": read_round,
    "Selu": read_selu,
    "Sigmoid": read_sigmoid,
    "Sign": read_function(Sign),
    "Slice": read_slice,
    "Softmax": read_softmax,
    "Softplus": read_function(Softplus),
    "Split": read_split,
    "Sqrt": read_function(Sqrt),
    "Squeeze": read_squeeze,
    "Sub": read_sub,
    "Sum": read_sum,
    "Tanh": read_tanh,
    "Tile": read_tile,
    "Transpose": read_transpose,
    "Unsqueeze": read_unsqueeze,
    "Upsample": read_upsample,
    "ai.onnx.ml.Scaler": read_scaler,
}
"""ONNX operators by name; whatever is computed from constants alone needs no reader."""
