"""What goes wrong is logged, what is secret is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAIL = """
import structlog
from liminal.logging import configure_logging
from liminal.settings import read_settings

configure_logging(read_settings(log_format={form!r}), "test")

def fail(password):
    raise RuntimeError("it broke")

try:
    fail("correct horse battery staple")
except RuntimeError as error:
    structlog.get_logger().error("request failed", exc_info=error)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_in_the_logs_shows_no_values_of_variables(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAIL.format(form=form)], capture_output=True, text=True, check=True, timeout=60
    )
    printed = done.stdout + done.stderr
    assert "it broke" in printed
    assert "fail" in printed
    assert "horse" not in printed
