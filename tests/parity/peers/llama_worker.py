"""llama.cpp decoding a random model of the same shape in f32; runs in the environment of llama.lock."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from llama_cpp import Llama

POSITION, TOKENS = 200, 8
"""As in worker.py."""
VOCABULARY, HIDDEN, INNER, LAYERS, HEADS, KV_HEADS = 49152, 576, 1536, 30, 9, 3


def write_model(file: Path) -> None:
    """SmolLM2-135M's shape with random weights as GGUF, f32."""
    rng = np.random.default_rng(0)
    writer = GGUFWriter(file, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")
    kv = HIDDEN // HEADS * KV_HEADS
    shapes = {
        "attn_q": (HIDDEN, HIDDEN),
        "attn_k": (kv, HIDDEN),
        "attn_v": (kv, HIDDEN),
        "attn_output": (HIDDEN, HIDDEN),
        "ffn_gate": (INNER, HIDDEN),
        "ffn_up": (INNER, HIDDEN),
        "ffn_down": (HIDDEN, INNER),
    }

    def random(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32) * np.float32(0.02)

    writer.add_tensor("token_embd.weight", random(VOCABULARY, HIDDEN))
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(HIDDEN, np.float32))
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", random(*shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Load, then answer every line on standard input with the seconds of one step."""
    threads = json.loads(sys.argv[1])["threads"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        write_model(file)
        model = Llama(str(file), n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False)
        model.eval([3] * POSITION)

        def run() -> float:
            model.n_tokens = POSITION
            model.eval([1])
            began = time.perf_counter()
            for _ in range(TOKENS):
                model.eval([1])
            return (time.perf_counter() - began) / TOKENS

        run()
        print("ready", flush=True)
        for _ in sys.stdin:
            print(run(), flush=True)


if __name__ == "__main__":
    main()
