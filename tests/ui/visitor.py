"""Somebody at a browser."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

PASSWORD = "correct horse battery staple"


@dataclass
class Visitor:
    """Somebody at a browser, and what went wrong in it behind their back."""

    page: Page
    context: BrowserContext
    url: str
    troubles: list[str] = field(default_factory=list[str])

    def open(self, path: str = "/") -> None:
        """Go to a page of the interface."""
        self.page.goto(self.url + path)

    def sign_up(self, name: str, email: str) -> None:
        """Make an account in the browser and arrive on the empty page."""
        self.open("/signup")
        self.page.get_by_label("What should liminal call you?").fill(name)
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Create account").click()
        self.page.get_by_label("Message", exact=True).wait_for()

    def ask(self, text: str) -> None:
        """Send a message in the conversation that is open."""
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.keyboard.press("Enter")

    def answered(self) -> str:
        """The last answer's text, once it has ended."""
        self.page.get_by_role("button", name="Another answer").last.wait_for()
        return self.page.get_by_role("article", name="liminal").last.locator(".prose").inner_text()

    def shot(self, name: str) -> None:
        """Keep a picture where $LIMINAL_SCREENSHOTS says, for people to look at."""
        if folder := os.environ.get("LIMINAL_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def watch(visitor: Visitor) -> None:
    """Note exceptions, what the content security policy refused, and requests to anywhere else."""
    page, troubles = visitor.page, visitor.troubles
    own = re.compile(rf"^(?:{re.escape(visitor.url)}|data:|blob:|ws://{re.escape(visitor.url[7:])})")
    page.on("pageerror", lambda error: troubles.append(f"exception: {error}"))
    page.on(
        "console",
        lambda message: troubles.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.on(
        "request",
        lambda request: None if own.match(request.url) else troubles.append(f"left home: {request.url}"),
    )
