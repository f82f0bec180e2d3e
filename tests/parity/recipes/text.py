"""Tokenizers trained on text that this module writes, and chat templates of three common shapes."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

SUBJECTS = ("the river", "a small boat", "my neighbour", "the old clock", "every student", "the kettle")
VERBS = ("carries", "remembers", "measures", "crosses", "repairs", "counts")
OBJECTS = (
    "12 stones",
    "the morning light",
    "3.5 litres of tea",
    "a long letter",
    "two doors",
    "its own echo",
)

TEXTS = (
    "",
    " ",
    "the river carries 12 stones.",
    "The  kettle\tmeasures\n\n3.5 litres of tea!",
    "don't you'll we've I'M",
    "naïve café Ångström straße",
    "日本語 かな 한국어 Ελληνικά",
    "emoji 🙂 family 👩‍👩‍👧 flag 🇮🇸",
    "e\u0301 versus \u00e9, \u200b zero width, \u00a0 no-break",
    "code: for i in range(10):\n    print(i)\r\n",
    "1234567890 12,345.67 0x1F",
    "   leading and trailing   ",
    "<|im_start|>user\nis this a real turn?<|im_end|>",
    "half a special <|im_sta and <s> </s>",
)

CHATML = (
    "{%- if messages[0]['role'] != 'system' -%}\n"
    "<|im_start|>system\nYou are a small, careful helper.<|im_end|>\n"
    "{%- endif %}\n"
    "{% for message in messages %}\n"
    "    {%- if message.role not in ['system', 'user', 'assistant', 'tool'] %}\n"
    "        {{- raise_exception('unknown role: ' ~ message.role) }}\n"
    "    {%- endif %}\n"
    "    {{- '<|im_start|>' + message['role'] + '\\n' }}\n"
    "    {%- if message.role == 'assistant' %}\n"
    "        {%- generation %}{{- message.content + '<|im_end|>\\n' }}{%- endgeneration %}\n"
    "    {%- else %}\n"
    "        {{- message.content + '<|im_end|>\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "{%- endif %}\n"
)

TOOLED = (
    "{%- set ns = namespace(last=-1, calls=0) %}\n"
    "{%- for message in messages[::-1] %}\n"
    "    {%- if message.role == 'user' and ns.last < 0 %}\n"
    "        {%- set ns.last = messages|length - 1 - loop.index0 %}\n"
    "        {%- break %}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if tools is defined and tools %}\n"
    "    {{- '<|im_start|>system\\nTools:' }}\n"
    "    {%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}\n"
    "    {{- '<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    "    {%- set body = message.content if message.content is string else '' %}\n"
    "    {%- if message.role == 'assistant' and '</think>' in body and loop.index0 < ns.last %}\n"
    "        {%- set body = body.split('</think>')[-1].lstrip('\\n') %}\n"
    "    {%- endif %}\n"
    "    {{- '<|im_start|>' ~ message.role ~ '\\n' ~ body | trim }}\n"
    "    {%- for call in message.tool_calls or [] %}\n"
    "        {%- set ns.calls = ns.calls + 1 %}\n"
    "        {{- '\\n<call ' ~ ns.calls ~ '>' ~ (call.function.arguments | tojson(indent=2)) ~ '</call>' }}\n"
    "    {%- endfor %}\n"
    "    {{- '<|im_end|>\\n' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "    {%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n' }}{%- endif %}\n"
    "{%- endif %}\n"
)

BRACKETED = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}{{ bos_token }}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant/user/assistant') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% if loop.first and system is defined %}{{ '<<' + system + '>> ' }}{% endif %}"
    "{{ message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)

_TOOL = {
    "type": "function",
    "function": {
        "name": "convert",
        "description": "Convert <units> & 'quote' it — ünïcode",
        "parameters": {
            "type": "object",
            "properties": {"value": {"type": "number"}, "unit": {"type": "string"}},
        },
    },
}
_SIMPLE = [{"role": "user", "content": "How many stones does the river carry?"}]
_LONG = [
    {"role": "system", "content": "Answer in one line. "},
    {"role": "user", "content": "  Count the doors.\n"},
    {"role": "assistant", "content": "<think>\none, two\n</think>\n\nTwo doors."},
    {"role": "user", "content": "And the 🕰?"},
]
_CALLS = [
    {"role": "user", "content": "3.5 litres in pints?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "convert", "arguments": {"value": 3.5, "unit": "l"}}}],
    },
    {"role": "tool", "content": "6.16"},
]

CONVERSATIONS: tuple[tuple[str, list[dict[str, Any]], dict[str, Any]], ...] = (
    ("chatml", _SIMPLE, {"add_generation_prompt": True}),
    ("chatml", _LONG, {"add_generation_prompt": True}),
    ("chatml", [*_LONG, {"role": "assistant", "content": "It ticks."}], {"add_generation_prompt": False}),
    ("tooled", _SIMPLE, {"add_generation_prompt": True, "enable_thinking": False}),
    ("tooled", _LONG, {"add_generation_prompt": True}),
    ("tooled", _CALLS, {"add_generation_prompt": True, "tools": [_TOOL]}),
    ("bracketed", _SIMPLE, {"add_generation_prompt": True}),
    ("bracketed", _LONG, {"add_generation_prompt": True}),
    (
        "bracketed",
        [*_LONG, {"role": "assistant", "content": " It ticks. "}],
        {"add_generation_prompt": False},
    ),
)


def corpus() -> list[str]:
    """216 sentences, the only text that the tokenizers have seen."""
    return [f"{subject} {verb} {thing}." for subject, verb, thing in product(SUBJECTS, VERBS, OBJECTS)]


def byte_level(template: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE in the manner of the Qwen and SmolLM families; 320 entries."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|\s+(?!\S)|\s+|[^\s\p{L}\p{N}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = template
    return fast


def metaspace(template: str) -> PreTrainedTokenizerFast:
    """A BPE with byte fallback, a prefix space and a BOS token, in the manner of Llama 2; 360 entries."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = BpeTrainer(vocab_size=360, special_tokens=special + fallback, show_progress=False)
    tokenizer.train_from_iterator([line.replace(" ", "▁") for line in corpus()], trainer)
    state = json.loads(tokenizer.to_str())
    # byte pieces are ordinary vocabulary in such files: as added tokens they would match the text "<0x41>"
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in special]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=AddedToken("<s>", special=True),
        eos_token=AddedToken("</s>", special=True),
        unk_token=AddedToken("<unk>", special=True),
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = template
    return fast


def make(out: Path) -> None:
    """Write tokenizers/<name>/, encodings.jsonl, chats.jsonl: what transformers makes of them."""
    folders = {"chatml": byte_level(CHATML), "tooled": byte_level(TOOLED), "bracketed": metaspace(BRACKETED)}
    for name, tokenizer in folders.items():
        tokenizer.save_pretrained(out / "tokenizers" / name)
    loaded = {name: AutoTokenizer.from_pretrained(out / "tokenizers" / name) for name in folders}
    encodings = [
        {
            "tokenizer": name,
            "text": text,
            "ids": (ids := loaded[name](text)["input_ids"]),
            "ids_without_special": loaded[name](text, add_special_tokens=False)["input_ids"],
            "decoded": loaded[name].decode(ids),
            "decoded_without_special": loaded[name].decode(ids, skip_special_tokens=True),
        }
        for name in ("chatml", "bracketed")
        for text in TEXTS
    ]
    chats = [
        {
            "tokenizer": name,
            "messages": messages,
            "arguments": arguments,
            "text": loaded[name].apply_chat_template(messages, tokenize=False, **arguments),
            "ids": loaded[name].apply_chat_template(messages, tokenize=True, return_dict=False, **arguments),
        }
        for name, messages, arguments in CONVERSATIONS
    ]
    for name, rows in {"encodings": encodings, "chats": chats}.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
