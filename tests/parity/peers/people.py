"""People who ask over HTTP, by the same route on both sides: ``/v1/chat/completions``."""

from __future__ import annotations

import concurrent.futures
import json
import time
from collections.abc import Sequence
from typing import Any

import httpx

PASSWORD = "correct horse battery staple"
ANIMALS = ("fox", "whale", "sparrow", "badger", "tortoise", "hare", "otter", "owl")


def sign_up(base: str, number: int) -> dict[str, str]:
    """A new account's header."""
    me = {"email": f"asker{number}@example.org", "password": PASSWORD}
    with httpx.Client(base_url=base, timeout=60.0, trust_env=False) as http:
        http.post("/v1/auth/signup", json=me).raise_for_status()
        # a cookie would make this client a browser, whose requests say which page they come from
        http.cookies.clear()
        made = http.post("/v1/auth/login", json={**me, "client": "api"}).raise_for_status().json()
    return {"Authorization": f"Bearer {made['access_token']}"}


def first_token(base: str, person: dict[str, str], model: str) -> float:
    """Seconds from a short question to the first words of its answer."""
    body = _question(model, "What is the capital of France?", 16) | {"stream": True}
    began = time.perf_counter()
    with (
        httpx.Client(base_url=base, timeout=120.0, trust_env=False, headers=person) as http,
        http.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                if choices and choices[0]["delta"].get("content"):
                    return time.perf_counter() - began
    raise RuntimeError("the answer had no words")


def ask_all(base: str, people: Sequence[dict[str, str]], model: str, tokens: int, number: int) -> float:
    """Seconds a step when all ask at once: a step is one token of each."""
    with concurrent.futures.ThreadPoolExecutor(len(people)) as pool:
        began = time.perf_counter()
        said = list(
            pool.map(lambda at: _asked(base, people[at], model, tokens, number, at), range(len(people)))
        )
        taken = time.perf_counter() - began
    return taken * len(people) / sum(said)


def _asked(base: str, person: dict[str, str], model: str, tokens: int, number: int, at: int) -> int:
    text = f"Write a long story, number {number}, about a {ANIMALS[at]} who learns to swim."
    with httpx.Client(base_url=base, timeout=300.0, trust_env=False, headers=person) as http:
        reply = http.post("/v1/chat/completions", json=_question(model, text, tokens))
    return reply.raise_for_status().json()["usage"]["completion_tokens"]


def _question(model: str, text: str, tokens: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "messages": messages, "max_tokens": tokens, "temperature": 0.0}
