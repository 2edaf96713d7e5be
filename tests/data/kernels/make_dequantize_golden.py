# SPDX-License-Identifier: Apache-2.0
"""Writes dequantize_golden.bin with the Python packages gguf and numpy (pip install gguf numpy).

Entries, little endian: u32 DType of tenon/dtype.h, u32 values, u32 bytes, the stored bytes, the values as f32.
The stored bytes are random; every f16 scale among them is finite, and some are subnormal.
"""
import struct
import sys

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf.quants import dequantize

# name: (DType, gguf type, values a block, bytes a block, offsets of the f16 scales in a block)
BLOCKS = {
    "q4_0": (6, Q.Q4_0, 32, 18, [0]), "q4_1": (7, Q.Q4_1, 32, 20, [0, 2]),
    "q5_0": (8, Q.Q5_0, 32, 22, [0]), "q5_1": (9, Q.Q5_1, 32, 24, [0, 2]),
    "q8_0": (10, Q.Q8_0, 32, 34, [0]), "q4_k": (11, Q.Q4_K, 256, 144, [0, 2]),
    "q5_k": (12, Q.Q5_K, 256, 176, [0, 2]), "q6_k": (13, Q.Q6_K, 256, 210, [208]),
}


def f8_e4m3(codes):
    sign = np.where(codes & 0x80, -1.0, 1.0)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    value = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent.astype(float) - 10))
    return (sign * value).astype(np.float32)


def main(path):
    random = np.random.default_rng(20)
    with open(path, "wb") as out:
        def entry(dtype, data, values):
            out.write(struct.pack("<III", dtype, len(values), len(data)) + data + values.astype("<f4").tobytes())

        halves = np.concatenate([random.integers(0, 0x7c00, 60), [0, 1, 0x3ff, 0x400, 0x7bff, 0x8001, 0xfbff]])
        halves = halves.astype("<u2")
        entry(1, halves.tobytes(), halves.view("<f2").astype(np.float32))
        entry(2, halves.tobytes(), (halves.astype("<u4") << 16).view("<f4"))
        codes = np.array([c for c in range(256) if c & 0x7f != 0x7f], np.uint8)
        entry(3, codes.tobytes(), f8_e4m3(codes))
        for dtype, kind, values, size, scales in BLOCKS.values():
            count = 5 if values == 32 else 3
            blocks = random.integers(0, 256, (count, size)).astype(np.uint8)
            for offset in scales:
                d = random.uniform(-0.05, 0.05, count).astype("<f2")
                d[-1] = np.frombuffer(b"\x21\x00", "<f2")[0]
                blocks[:, offset:offset + 2] = d.view(np.uint8).reshape(count, 2)
            entry(dtype, blocks.tobytes(), dequantize(blocks, kind).reshape(-1))


main(sys.argv[1])
