"""Lengths that keep the house easy to read: a module has 400 lines at most, a function 50.

A longer one says why at its head, in a comment that begins with ``long:``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("src", "consumers", "tests")
MODULE, FUNCTION = 400, 50
REASON = "# long:"


def too_long(file: Path) -> Iterator[str]:
    """A sentence per module or function of the file that is over its length without a reason."""
    text = file.read_text()
    lines = text.splitlines()
    name = file.relative_to(ROOT)
    if len(lines) > MODULE and REASON not in "\n".join(lines[:20]):
        yield f"{name} has {len(lines)} lines; {MODULE} is the most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            head = "\n".join(lines[max(0, node.lineno - 3) : node.body[0].lineno])
            if length > FUNCTION and REASON not in head:
                yield f"{name}:{node.lineno} {node.name} has {length} lines; {FUNCTION} is the most"


def main() -> None:
    """Print every length that is over, and fail if there is one."""
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    found = [sentence for file in files for sentence in too_long(file)]
    print("\n".join(found) or f"{len(files)} modules are short enough")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
