"""Copies a GGUF file with every tensor dequantised to f32; runs in the environment of xllamacpp.lock.

llama.cpp rounds activations to 8 bits beside quantised weights, so it computes the exact function of the
file only from these.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, dequantize

ALL_F32 = LlamaFileType.ALL_F32.value
WRITTEN_BY_ITSELF = ("general.architecture", "general.file_type", "general.quantization_version")


def main(source: Path, target: Path) -> None:
    """Every field as it is, every tensor in f32."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    writer.add_file_type(ALL_F32)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in WRITTEN_BY_ITSELF:
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, inner)
    for tensor in reader.tensors:
        writer.add_tensor(
            tensor.name, np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
