"""Transformers and PEFT at the same work as ours; runs in the environment of tests/parity/requirements.lock.

A line on standard input asks for one measurement; the answer is a line with its seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import torch
from peft import LoraConfig, get_peft_model
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, logging

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
POSITION = 200
"""Tokens in the cache when a decoding step is measured, as in liminal.engine.bench."""
TOKENS = 8
"""Steps that are measured together, after one that is not."""


def base() -> LlamaForCausalLM:
    """SmolLM2-135M's shape with random weights, f32."""
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config)


def lora(rank: int) -> LoraConfig:
    """LoRA on every linear, without dropout."""
    return LoraConfig(r=rank, lora_alpha=rank, target_modules=LINEAR, init_lora_weights=False)


@torch.no_grad()
def decoder(model: torch.nn.Module, rows: int, **arguments: object) -> Callable[[], float]:
    """Greedy decoding of some tokens a row from POSITION on; seconds a step."""
    model.eval()
    cache = DynamicCache()
    prompt = torch.full((rows, POSITION), 3)
    model(prompt, past_key_values=cache, use_cache=True, **arguments)

    @torch.no_grad()
    def run() -> float:
        began = 0.0
        token = torch.full((rows, 1), 1)
        for number in range(TOKENS + 1):
            if number == 1:
                began = time.perf_counter()
            logits = model(token, past_key_values=cache, use_cache=True, **arguments).logits
            token = logits[:, -1:].argmax(-1)
        taken = time.perf_counter() - began
        cache.crop(-TOKENS - 1)
        return taken / TOKENS

    return run


def mixed(rank: int) -> Callable[[], float]:
    """Eight rows with eight adapters by PEFT's adapter_names."""
    names = [f"a{index}" for index in range(8)]
    model = get_peft_model(base(), lora(rank), adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, lora(rank))
    return decoder(model, 8, adapter_names=names)


def sft(sequences: list[list[int]], rank: int) -> Callable[[], float]:
    """One optimizer step over sequences of (tokens, learned tokens), padded as a collator pads them."""
    model = get_peft_model(base(), lora(rank)).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    longest = max(length for length, _ in sequences)
    tokens = torch.randint(0, 49152, (len(sequences), longest))
    mask, labels = torch.zeros_like(tokens), torch.full_like(tokens, -100)
    for row, (length, learned) in enumerate(sequences):
        mask[row, :length] = 1
        labels[row, length - learned : length] = tokens[row, length - learned : length]

    def run() -> float:
        began = time.perf_counter()
        optimizer.zero_grad()
        model(input_ids=tokens, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return time.perf_counter() - began

    return run


def main() -> None:
    """Build the task that the command line names, then answer every line."""
    task = json.loads(sys.argv[1])
    torch.manual_seed(0)
    torch.set_num_threads(task["threads"])
    logging.set_verbosity_error()
    makers: dict[str, Callable[[], Callable[[], float]]] = {
        "decode": lambda: decoder(base(), 1),
        "mixed": lambda: mixed(task["rank"]),
        "sft": lambda: sft(task["sequences"], task["rank"]),
    }
    run = makers[task["name"]]()
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(run(), flush=True)


if __name__ == "__main__":
    main()
