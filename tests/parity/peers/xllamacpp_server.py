"""llama.cpp's HTTP server on a free loopback port, until standard input ends.

Runs in the environment of xllamacpp.lock. The first argument is JSON, the fields of ``llama.Serving``; the
first line on standard output is the server's address.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import xllamacpp

GGML_TYPES = {"f32": 0, "f16": 1}


def parameters(serving: dict[str, Any]) -> Any:
    """llama.cpp's parameters for what is asked."""
    found = xllamacpp.CommonParams()
    found.model.path = serving["model"]
    found.hostnames, found.port = ["127.0.0.1"], 0
    found.n_parallel = serving["slots"]
    found.n_ctx = serving["context"] * serving["slots"]
    found.cpuparams.n_threads = found.cpuparams_batch.n_threads = serving["threads"]
    found.cache_type_k = found.cache_type_v = GGML_TYPES[serving["cache"]]
    if not serving["flash"]:
        found.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    found.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in serving["adapters"]]
    found.ui = False
    found.verbosity = 1
    return found


def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    server = xllamacpp.Server(parameters(json.loads(sys.argv[1])))
    print(server.listening_address, flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    main()
