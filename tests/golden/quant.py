#!/usr/bin/env python3
"""Makes quant.safetensors: blocks of every weight format, and the numbers that the `gguf` package reads in them.

    python tests/golden/quant.py

Made with gguf 0.19.0, numpy 2.4.6, safetensors 0.8.0. For each format:

  {format}.type       I32 [1], ggml's number
  {format}.blocks     U8  [n, bytes of a block]; random codes, scales such that no weight is much above 1
  {format}.edges      U8  [n, bytes of a block]; zero, negative, smallest and largest scales, all codes 0 and all bits set
  {format}.values     F32 [weights of blocks, then of edges]
  {format}.quantized  U8  `input` as the package writes it, for formats whose rounding it shares with ggml

A block of f32, f16 and bf16, which have none, is 32 weights here. Their edges are numbers of both signs whose exponents
and fractions are the least, the largest and some between: zeros, numbers below the normal range (in blocks of their
own, for a GPU may take those of f32 and bf16 for zero), powers of two, the largest there are.

and `input`, F32 [n, 32].
"""

from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file

BLOCKS = 4
random = np.random.default_rng(20261124)
T = gguf.GGMLQuantizationType

# Where a block keeps its f16 factors, and the largest weight / factor there is.
HALVES = {
    T.Q8_0: ([0], 127), T.Q4_0: ([0], 8), T.Q4_1: ([0, 2], 16), T.Q5_0: ([0], 16), T.Q5_1: ([0, 2], 32),
    T.Q2_K: ([80, 82], 60), T.Q3_K: ([108], 128), T.Q4_K: ([0, 2], 1008), T.Q5_K: ([0, 2], 2016),
    T.Q6_K: ([208], 4096), T.IQ4_NL: ([0], 127), T.IQ4_XS: ([0], 4096), T.MXFP4: ([], 12),
}

# A word, the fraction's bits, and exponents to try: 0 first, which is zero and what is below the normal
# range. The largest exponent, of infinities and NaN, is left out.
FLOATS = {
    T.F32: (np.uint32, 23, [0, 1, 2, 23, 104, 126, 127, 128, 150, 253, 254]),
    T.F16: (np.uint16, 10, [0, 1, 2, 5, 14, 15, 16, 25, 29, 30]),
    T.BF16: (np.uint16, 7, [0, 1, 2, 23, 104, 126, 127, 128, 150, 253, 254]),
}
FLOATS_IN_BLOCK = 32


def set_half(block, at, value):
    block[at : at + 2] = np.array([value], np.float16).view(np.uint8)


def random_block(type_, size):
    block = random.integers(0, 256, size, dtype=np.uint8)
    at, most = HALVES[type_]
    for offset in at:
        set_half(block, offset, random.uniform(0.3, 1.0) / most * random.choice([-1, 1]))
    if type_ == T.MXFP4:
        block[0] = random.integers(118, 126)
    return block


def edge_blocks(type_, size):
    at, _ = HALVES[type_]
    halves = [0.0, 2.0**-24, -(2.0**-14 - 2.0**-24), 65504.0, -65504.0]
    for i, half in enumerate(halves):
        block = random.integers(0, 256, size, dtype=np.uint8)
        if i >= 3:
            block[:] = 255 if i == 3 else 0
        for offset in at:
            set_half(block, offset, half)
        if type_ == T.MXFP4:
            block[0] = [0, 1, 2, 127, 251][i]
        yield block
    # The two factors of different kinds: one zero, one not.
    for zero in range(len(at) if len(at) == 2 else 0):
        block = random_block(type_, size)
        set_half(block, at[zero], 0.0)
        yield block


def edge_floats(type_):
    """Bits of numbers, in blocks; each block of one exponent, zero with the numbers below the normal range."""
    word, bits, exponents = FLOATS[type_]
    most = (1 << bits) - 1
    fractions = [0, 1, 2, most // 3, most // 2, most // 2 + 1, most - 1, most]
    while len(fractions) < FLOATS_IN_BLOCK // 2:
        fractions.append(int(random.integers(1, most)))
    sign = 1 << (8 * word().itemsize - 1)
    for exponent in exponents:
        yield np.array([s | exponent << bits | f for f in fractions for s in (0, sign)], word)


def inputs():
    """Blocks to quantise: ordinary ones, and those with ties, a lone weight, one sign, none."""
    rows = [random.normal(0, scale, 32) for scale in [1e-4, 0.02, 0.02, 0.05, 1.0, 1.0, 30.0]]
    rows += [random.uniform(0.1, 0.4, 32), random.uniform(-3, -2, 32)]
    rows += [np.zeros(32), np.full(32, 0.25), np.full(32, -0.7), np.eye(32)[5], -3.5 * np.eye(32)[31]]
    rows += [np.arange(32) - 16.0, (np.arange(32) - 15.5) / 16, np.tile([1.0, -1.0], 16), np.arange(32) / 31]
    return np.array(rows, np.float32)


def main():
    tensors = {"input": inputs()}
    for type_ in HALVES:
        name = type_.name.lower()
        _, size = gguf.GGML_QUANT_SIZES[type_]
        tensors[f"{name}.type"] = np.array([type_.value], np.int32)
        tensors[f"{name}.blocks"] = np.array([random_block(type_, size) for _ in range(BLOCKS)])
        tensors[f"{name}.edges"] = np.array(list(edge_blocks(type_, size)))
        blocks = np.concatenate([tensors[f"{name}.blocks"], tensors[f"{name}.edges"]])
        values = gguf.quants.dequantize(blocks, type_).astype(np.float32)
        assert np.isfinite(values).all(), name
        tensors[f"{name}.values"] = values.ravel()
        if type_ in (T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1):
            tensors[f"{name}.quantized"] = gguf.quants.quantize(tensors["input"], type_)
    for type_, (word, _, _) in FLOATS.items():
        name = type_.name.lower()
        ordinary = random.normal(0, 0.3, (BLOCKS, FLOATS_IN_BLOCK)).astype(np.float32)
        tensors[f"{name}.type"] = np.array([type_.value], np.int32)
        tensors[f"{name}.blocks"] = gguf.quants.quantize(ordinary, type_).view(np.uint8)
        tensors[f"{name}.edges"] = np.array(list(edge_floats(type_))).view(np.uint8)
        blocks = np.concatenate([tensors[f"{name}.blocks"], tensors[f"{name}.edges"]])
        values = gguf.quants.dequantize(blocks, type_).astype(np.float32)
        assert np.isfinite(values).all() and np.unique(values).size > 0.8 * values.size, name
        tensors[f"{name}.values"] = values.ravel()
        tensors[f"{name}.quantized"] = gguf.quants.quantize(tensors["input"], type_).view(np.uint8)
    save_file(tensors, Path(__file__).with_name("quant.safetensors"))


if __name__ == "__main__":
    main()
