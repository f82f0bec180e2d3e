"""Fifty prompts for the default model: 22 texts to go on with and 28 chats."""

from __future__ import annotations

from typing import Any

LONG = "\n".join(
    f"{number}. On day {number * 3} the {thing} {verb} {number * 7 % 31} {unit}, and {who} wrote it down."
    for number, (thing, verb, unit, who) in enumerate(
        [
            (thing, verb, unit, who)
            for who in ("Ada", "the captain", "nobody")
            for thing, verb in (("river", "rose by"), ("fox", "crossed"), ("old mill", "ground"))
            for unit in ("inches", "fields", "sacks of grain", "stones")
        ],
        1,
    )
)
"""About a thousand tokens."""

TEXTS = (
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "Water boils at 100 degrees Celsius because",
    "def fibonacci(n):\n    ",
    "SELECT name, count(*) FROM orders\nWHERE",
    '{"name": "Ada", "born": 1815, "languages": [',
    "<html>\n\t<body>\n\t\t<h1>Hello</h1>\n",
    "1, 1, 2, 3, 5, 8, 13,",
    "- milk\n- bread\n- eggs\n-",
    "Die Hauptstadt von Deutschland heißt",
    "Il était une fois une petite fille qui",
    "¿Dónde está la biblioteca?",
    "Привет, как дела?",
    "日本の首都は",
    "中国的首都是北京，法国的首都是",
    "مرحبا، كيف حالك؟",
    "नमस्ते, आप कैसे हैं?",
    "I love pizza 🍕 and family 👩‍👩‍👧 and flags 🇮🇸 because",
    "e\u0301 versus \u00e9, \u200b zero width, \u00a0 no-break, tabs\t\tand\r\nlines",
    "   leading spaces,   3.14159 x 2,718 = ?   ",
    "<|im_start|>user\nIs this a real turn?<|im_end|>\n<|im_start|>assistant\n",
    LONG,
)


def chat(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    """User and assistant in turns, after a system prompt if there is one."""
    roles = ("user", "assistant")
    turns = [{"role": roles[at % 2], "content": content} for at, content in enumerate(contents)]
    return turns if system is None else [{"role": "system", "content": system}, *turns]


CHATS: tuple[list[dict[str, str]], ...] = (
    chat("What is the capital of France, and why is it famous?"),
    chat("Name three primary colours."),
    chat("Write a haiku about rain."),
    chat("How do I reverse a list in Python?"),
    chat("What is 17 times 3?"),
    chat("Give me five tips for sleeping better, as a list."),
    chat("Who wrote Romeo and Juliet?"),
    chat("Explain photosynthesis to a child in two sentences."),
    chat("Translate 'good morning' into German, French and Spanish."),
    chat("Was ist der Unterschied zwischen Wetter und Klima?"),
    chat("Quelle est la recette des crêpes ?"),
    chat("富士山の高さは？"),
    chat("Расскажи короткую сказку."),
    chat("🙂🙃 What do these mean? 👩‍🚀🚀"),
    chat("hi"),
    chat("?"),
    chat("What does this do?\n\n```c\nfor (int i = 0; i < n; ++i)\n\ta[i] ^= b[n - i];\n```\n"),
    chat("  Mind   the    spaces,\n\n\nand the lines.  "),
    chat("List the planets.", system="You answer in one sentence."),
    chat("How far is the moon?", system="Use imperial units. Always end with: Stay curious!"),
    chat("Tell me a joke.", system="You are a pirate. ☠️"),
    chat("Was kostet das?", system="Du antwortest auf Deutsch, höflich und kurz."),
    chat("I have a dog.", "How nice! What is its name?", "Rex. What is my dog's name?"),
    chat("Pick a number.", "Seven.", "Double it.", "Fourteen.", "And once more?"),
    chat(
        "Hello!", "Hello! How can I help?", "Write a regex for dates.", system="You are a terse programmer."
    ),
    chat("a", "b", "c", "d", "e", "f", "g", system=""),
    chat(f"Summarise this log in two sentences.\n\n{LONG}"),
    chat(
        "Remember the word kettle.", "I will.", LONG, "I read it.", "Which word was it?", system="Be brief."
    ),
)


def cases() -> list[dict[str, Any]]:
    """Each with ``text`` or ``messages``."""
    return [{"text": text} for text in TEXTS] + [{"messages": messages} for messages in CHATS]
