"""The Kafka jars: pinned in locks/jars.txt by coordinate and sha256, fetched once into the cache.

``python -m liminal.stack.jars`` fetches them; with ``lock`` it resolves the tree anew and rewrites the lock.
Neither needs Java or Maven: jgo speaks to the repository.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from liminal.stack.errors import ChecksumMismatch, StackError

LOCK = Path(__file__).parent / "locks" / "jars.txt"
ATTEMPTS = 3
ROOTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5")
"""What is asked for; all else in the lock follows. The second binds Kafka's slf4j to log4j."""


@dataclass(frozen=True)
class Jar:
    """One artifact: Maven coordinate ``group:artifact:version`` and the sha256 of its file, in hex."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """``artifact-version.jar``."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    """The jars that the lock names, in its order."""
    lines = (line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(coordinate, sha256) for sha256, coordinate in lines]


def classpath(cache: Path) -> str:
    """Java's class path of the fetched jars; raises StackError when one is missing."""
    files = [cache / "jars" / jar.filename for jar in locked_jars()]
    for file in files:
        if not file.is_file():
            raise StackError(f"{file} is missing; remove {file.parent} and run `make setup`", file=str(file))
    return ":".join(str(file.absolute()) for file in files)


def fetch(cache: Path, jars: Sequence[Jar], progress: Callable[[str], None]) -> int:
    """Bring every jar into ``cache/jars``; returns how many were downloaded.

    A file is checked against the lock before it takes its name, so what lies under the name was right once;
    raises ChecksumMismatch otherwise, and StackError when the repository does not answer.
    """
    folder = cache / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [jar for jar in jars if not (folder / jar.filename).is_file()]
    if not missing:
        return 0
    with tempfile.TemporaryDirectory(dir=cache) as scratch, ThreadPoolExecutor(8) as pool:
        files = pool.map(_download, [jar.coordinate for jar in missing], [Path(scratch)] * len(missing))
        for number, (jar, file) in enumerate(zip(missing, files, strict=True), 1):
            found = _sha256(file)
            if found != jar.sha256:
                raise ChecksumMismatch(
                    f"{jar.coordinate} has sha256 {found}, but locks/jars.txt asks for {jar.sha256}",
                    coordinate=jar.coordinate,
                )
            file.replace(folder / jar.filename)
            progress(f"Kafka jars {number}/{len(missing)}  {jar.filename}")
    return len(missing)


def resolve(roots: Sequence[str]) -> list[Jar]:
    """Resolve the trees of the roots afresh and hash every jar; an earlier root's version wins.

    One by one: asked for together, each root's managed versions would rule the other's tree as well, and
    log4j's would bring an older kafka-clients.
    """
    from jgo.maven import MavenContext

    chosen: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch))
        for root in roots:
            _, nodes = context.resolver.get_dependency_list([context.create_dependency(root)])
            found = [f"{node.dep.groupId}:{node.dep.artifactId}:{node.dep.version}" for node in nodes]
            for coordinate in (root, *found):
                group, artifact, _ = coordinate.split(":")
                chosen.setdefault((group, artifact), coordinate)
        return [Jar(name, _sha256(_download(name, Path(scratch)))) for name in sorted(chosen.values())]


def _download(coordinate: str, repository: Path) -> Path:
    """One jar by the pure-Python resolver; the local repository keeps one folder per artifact."""
    import requests
    from jgo.maven import MavenContext

    # its own sha1 check only warns; ours refuses
    logging.getLogger("jgo").setLevel(logging.ERROR)
    group, artifact, version = coordinate.split(":")
    component = MavenContext(repo_cache=repository, timeout=60).project(group, artifact).at_version(version)
    for attempt in range(ATTEMPTS):
        try:
            return component.artifact().resolve()
        except (requests.RequestException, RuntimeError) as error:
            if attempt == ATTEMPTS - 1:
                reason = f"{coordinate} could not be downloaded: {error}"
                raise StackError(reason, coordinate=coordinate) from error
            time.sleep(2**attempt)
    raise AssertionError("unreachable")


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def main(arguments: Sequence[str]) -> None:
    """Fetch the locked jars into the cache, or rewrite the lock when called with ``lock``."""
    from liminal.settings import read_settings

    if list(arguments) == ["lock"]:
        lines = [f"{jar.sha256}  {jar.coordinate}" for jar in resolve(ROOTS)]
        LOCK.write_text(
            "# sha256  coordinate; written by python -m liminal.stack.jars lock\n" + "\n".join(lines) + "\n"
        )
        print(f"{len(lines)} jars locked")
        return
    try:
        fetch(read_settings().cache, locked_jars(), print)
    except StackError as error:
        sys.exit(f"liminal: {error.message}")


if __name__ == "__main__":
    main(sys.argv[1:])
