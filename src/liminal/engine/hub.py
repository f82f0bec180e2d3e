"""Model folders: pulled from a Hugging Face hub, listed, measured, chosen.

A store is a folder with one model folder each, named ``ORG--NAME``; beside a model's files,
``liminal.json`` records where it came from, at which commit, and the sha256 of every file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, cast

from liminal.engine.config import (
    CURRENT,
    RECORD,
    model_name,
    parse_config,
    read_json,
)
from liminal.engine.encoder_config import read_encoder_config
from liminal.engine.errors import BackendUnavailable, ModelInvalid, ModelNotFound
from liminal.engine.gguf.header import is_gguf
from liminal.engine.params import parameter_count
from liminal.engine.source import open_model
from liminal.engine.weights import check_tensors, stored_tensors

PATTERNS = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "README.md",
    "LICENSE*",
]
"""What is fetched of a repository."""

ENCODERS = ("bert", "roberta", "xlm-roberta")


@dataclass(frozen=True)
class PulledModel:
    """A model of the store.

    Attributes:
      name: ORG/NAME; revision: the commit that was pulled.
      parameters: scalars, None for an encoder; nbytes: of its files.
    """

    name: str
    folder: Path
    revision: str
    family: str
    parameters: int | None
    nbytes: int
    current: bool


class ModelStore:
    """The models under one folder."""

    def __init__(self, root: str | Path) -> None:
        """``root`` is made when the first model is pulled."""
        self.root = Path(root)

    def pull(self, name: str, revision: str | None = None, endpoint: str | None = None) -> Path:
        """Fetch ORG/NAME, resuming an interrupted pull, and check every byte.

        The revision (a branch, tag or commit; main by default) is resolved to a commit first and
        only that commit's files are taken. Raises ModelUnsupported before any weight is fetched,
        ModelNotFound, ModelInvalid for a wrong checksum, BackendUnavailable without a network.
        """
        # here, so that processes that only serve do without the hub's client
        import huggingface_hub

        folder = self.folder_of(name)
        with _hub_errors(name, revision):
            api = huggingface_hub.HfApi(endpoint=endpoint)
            commit = str(api.model_info(name, revision=revision).sha)
            known = folder / RECORD
            if known.is_file() and read_json(known).get("revision") == commit:
                return folder
            tree = [
                file for file in api.list_repo_tree(name, revision=commit, recursive=True) if _wanted(file)
            ]
            fetch = partial(
                huggingface_hub.snapshot_download, name, revision=commit, local_dir=folder, endpoint=endpoint
            )
            fetch(allow_patterns=["config.json"])
        check_supported(read_json(folder / "config.json"))
        with _hub_errors(name, revision):
            fetch(allow_patterns=PATTERNS)
        files = _verify(folder, tree)
        _check_weights(folder)
        record = {"name": name, "revision": commit, "files": files}
        (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        return folder

    def models(self) -> list[PulledModel]:
        """Every whole model of the store, by name."""
        current = self.current()
        found: list[PulledModel] = []
        for record in sorted(self.root.glob(f"*/{RECORD}")):
            raw = read_json(record)
            folder = record.parent
            config = read_json(folder / "config.json")
            family = str(config.get("model_type"))
            sizes = cast("dict[str, dict[str, Any]]", raw.get("files") or {}).values()
            found.append(
                PulledModel(
                    name=str(raw.get("name")),
                    folder=folder,
                    revision=str(raw.get("revision")),
                    family=family,
                    parameters=None if family in ENCODERS else parameter_count(parse_config(config)),
                    nbytes=sum(int(item["size"]) for item in sizes),
                    current=raw.get("name") == current,
                )
            )
        return found

    def use(self, name: str) -> Path:
        """Make a pulled model the one that is served from the next start on."""
        folder = self.resolve(name)
        open_model(folder)
        (self.root / CURRENT).write_text(name + "\n")
        return folder

    def use_none(self) -> None:
        """Serve the fallback again."""
        (self.root / CURRENT).unlink(missing_ok=True)

    def current(self) -> str | None:
        """The chosen model's name, if one was chosen."""
        file = self.root / CURRENT
        return file.read_text().strip() if file.is_file() else None

    def served(self, name: str, fallback: Path) -> Path:
        """The folder to serve: ``name`` if one is given, else the chosen model, else ``fallback``.

        The fallback's own name is a name too. Raises ModelNotFound.
        """
        chosen = name or self.current()
        return self.resolve(chosen) if chosen and chosen != model_name(fallback) else fallback

    def resolve(self, name: str) -> Path:
        """The folder of a model: a path as it is, else a pulled model. Raises ModelNotFound."""
        if (Path(name) / "config.json").is_file() or is_gguf(Path(name)):
            return Path(name)
        if re.fullmatch(NAME, name) and (self.folder_of(name) / RECORD).is_file():
            return self.folder_of(name)
        raise ModelNotFound(
            f"{name} is no folder of a model, no GGUF file and not pulled; `liminal model pull` fetches one",
            name=name,
        )

    def folder_of(self, name: str) -> Path:
        """Where ORG/NAME is or would be. Raises ModelNotFound for what cannot be a name."""
        if not re.fullmatch(NAME, name):
            raise ModelNotFound(f"{name!r} is not a model name of the form ORG/NAME", name=name)
        return self.root / name.replace("/", "--")


def served_folder(home: Path, name: str, fallback: Path) -> Path:
    """The folder to serve in the home of a stack; as ModelStore.served."""
    return ModelStore(home / "models").served(name, fallback)


NAME = r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}"


def check_supported(raw: Mapping[str, Any]) -> None:
    """Raise ModelUnsupported by name for a decoder or encoder that this engine does not compute."""
    if raw.get("model_type") not in ENCODERS:
        parse_config(raw)


def _check_weights(folder: Path) -> None:
    """Raise unless the headers hold exactly what config.json says; no weight is read."""
    raw = read_json(folder / "config.json")
    if raw.get("model_type") in ENCODERS:
        read_encoder_config(folder)
    else:
        check_tensors(parse_config(raw), stored_tensors(folder))


@contextmanager
def _hub_errors(name: str, revision: str | None) -> Generator[None]:
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelNotFound(f"the hub has no model {name} at {revision or 'main'}", name=name) from error
    except Exception as error:
        # the package lets its HTTP client's own errors through, which share no base with its own
        raise BackendUnavailable(f"the hub cannot be reached, or broke off: {error}", name=name) from error


def _wanted(file: Any) -> bool:
    from huggingface_hub import RepoFile

    return isinstance(file, RepoFile) and any(fnmatch(file.path, item) for item in PATTERNS)


def _verify(folder: Path, tree: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """sha256 and size of every fetched file, compared with what the hub says of them."""
    files: dict[str, dict[str, Any]] = {}
    for remote in tree:
        file = folder / remote.path
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ModelInvalid(f"the hub names {remote.path!r}, which is not in the model's folder")
        if not file.is_file():
            raise BackendUnavailable(f"{remote.path} did not arrive; pull again")
        size, sha256, blob = _digests(file)
        expected, found = (remote.blob_id, blob) if remote.lfs is None else (remote.lfs.sha256, sha256)
        if expected != found:
            file.unlink()
            raise ModelInvalid(f"{remote.path} arrived damaged and was removed; pull again", file=remote.path)
        files[remote.path] = {"size": size, "sha256": sha256}
    return files


def _digests(file: Path) -> tuple[int, str, str]:
    """(size, sha256, git's blob id) of a file."""
    size = file.stat().st_size
    whole, blob = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with file.open("rb") as handle:
        while piece := handle.read(1 << 20):
            whole.update(piece)
            blob.update(piece)
    return size, whole.hexdigest(), blob.hexdigest()


def describe(folder: Path) -> dict[str, Any]:
    """A model's shape, for `model info`; raises as open_model does."""
    config = open_model(folder).config
    plain = asdict(config)
    windows = sorted({str(window) for window in config.windows})
    return plain | {"windows": windows, "rotary": sum(config.rotary), "parameters": parameter_count(config)}
