"""llama.cpp's own quantiser, from the library inside llama-cpp-python: for formats that the `gguf` package only reads."""

import ctypes
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

_quantize = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib/libggml-base.so")).ggml_quantize_chunk
_quantize.restype = ctypes.c_size_t
_quantize.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]


def quantize(array, kind):
    """Rows of f32 [rows, columns] as bytes [rows, bytes of a row]."""
    rows, columns = array.shape
    block, size = gguf.GGML_QUANT_SIZES[kind]
    source = np.ascontiguousarray(array, np.float32)
    out = np.empty((rows, columns // block * size), np.uint8)
    written = _quantize(kind.value, source.ctypes.data, out.ctypes.data, 0, rows, columns, None)
    assert written == out.nbytes, f"{kind}: {written} bytes of {out.nbytes}"
    return out
