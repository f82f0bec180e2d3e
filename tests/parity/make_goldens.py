"""Make the golden values of tests/parity/golden with transformers, PEFT, TRL and sentence-transformers.

Run it with the Python of tests/parity/requirements.lock (``make parity`` does):

    python tests/parity/make_goldens.py FOLDER

Everything is drawn from fixed seeds: no network, no third-party weights except those of the MiniLM
package that liminal itself depends on.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
PEERS = ("torch", "transformers", "peft", "trl", "sentence-transformers", "tokenizers", "safetensors")


def main(out: Path) -> None:
    """Fill the folder ``out``; about a minute on two cores."""
    import torch
    import transformers
    from recipes import adapters, encoders, models, text, training

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    out.mkdir(parents=True, exist_ok=True)
    for recipe in (text, models, adapters, encoders, training):
        recipe.make(out)
        print(f"{recipe.__name__}: done", flush=True)
    versions = {name: importlib.metadata.version(name) for name in PEERS}
    (out / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ENVIRONMENT})
    main(Path(sys.argv[1]))
