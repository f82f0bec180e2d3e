"""``python -m liminal.api``: what the supervisor and the container run."""

from liminal.api.cli import app

app(prog_name="liminal api")
