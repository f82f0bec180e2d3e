"""Models: pulled from a Hugging Face hub, imported from a folder or a GGUF file, listed, measured, chosen.

A store is a folder with a folder for each model, named ``ORG--NAME`` or ``NAME``; beside a model's files,
``liminal.json`` records where it came from, at which commit, and the sha256 of every file.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
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
class StoredModel:
    """A model of the store.

    Attributes:
      name: ORG/NAME, or what it was imported as; path: its folder or GGUF file.
      revision: the commit that was pulled, ``imported`` else.
      numbers: the format of most of its weights.
      parameters: scalars, None for an encoder; nbytes: of its files.
    """

    name: str
    path: Path
    revision: str
    family: str
    numbers: str
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

        if "/" not in name:
            raise ModelNotFound(f"{name!r} is not a model name of the form ORG/NAME", name=name)
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

    def take_in(self, source: Path, name: str | None = None) -> Path:
        """Copy a folder or a GGUF file into the store, as ``name`` or what it is called; returns its place.

        Raises ModelNotFound, ModelUnsupported or ModelInvalid for what can't be served, before it is copied.
        """
        files = open_model(source)
        files.tokenizer()
        called = name or files.name
        folder = self.folder_of(called)
        draft = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        wanted = [source] if source.is_file() else [f for f in source.iterdir() if _of_a_model(f.name)]
        recorded: dict[str, dict[str, Any]] = {}
        for file in wanted:
            kept = f"{folder.name}.gguf" if source.is_file() else file.name
            shutil.copyfile(file, draft / kept)
            size, sha256, _ = _digests(draft / kept)
            recorded[kept] = {"size": size, "sha256": sha256}
        record = {"name": called, "revision": "imported", "files": recorded}
        (draft / RECORD).write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        return _place(folder)

    def models(self) -> list[StoredModel]:
        """Every whole model of the store, by name."""
        current = self.current()
        return [_stored(record, current) for record in sorted(self.root.glob(f"[!.]*/{RECORD}"))]

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

    def resolve(self, name: str) -> Path:
        """Where a model is: a path as it is, else a model of the store. Raises ModelNotFound."""
        if (Path(name) / "config.json").is_file() or is_gguf(Path(name)):
            return Path(name)
        if re.fullmatch(NAME, name) and (self.folder_of(name) / RECORD).is_file():
            return _place(self.folder_of(name))
        raise ModelNotFound(
            f"{name} is no folder of a model, no GGUF file and not pulled; `liminal model pull` fetches one",
            name=name,
        )

    def folder_of(self, name: str) -> Path:
        """The folder in which a model is or would be. Raises ModelNotFound for what cannot be a name."""
        if not re.fullmatch(NAME, name):
            raise ModelNotFound(f"{name!r} is not a model name of the form ORG/NAME or NAME", name=name)
        return self.root / name.replace("/", "--")


def _place(folder: Path) -> Path:
    return next(iter(folder.glob("*.gguf")), folder)


def _of_a_model(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in PATTERNS)


def _stored(record: Path, current: str | None) -> StoredModel:
    raw, path = read_json(record), _place(record.parent)
    sizes = cast("dict[str, dict[str, Any]]", raw.get("files") or {}).values()
    family, parameters, numbers = _shape_of(path)
    return StoredModel(
        name=str(raw.get("name")),
        path=path,
        revision=str(raw.get("revision")),
        family=family,
        numbers=numbers,
        parameters=parameters,
        nbytes=sum(int(item["size"]) for item in sizes),
        current=raw.get("name") == current,
    )


def _shape_of(path: Path) -> tuple[str, int | None, str]:
    """(family, parameters, numbers) of a decoder or an encoder."""
    if path.is_dir() and (kind := read_json(path / "config.json").get("model_type")) in ENCODERS:
        return str(kind), None, ""
    files = open_model(path)
    return files.config.family, parameter_count(files.config), files.numbers


NAME = r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?"


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
    files = open_model(folder)
    config = files.config
    plain = asdict(config)
    windows = sorted({str(window) for window in config.windows})
    more = {"windows": windows, "rotary": sum(config.rotary), "parameters": parameter_count(config)}
    return plain | more | {"name": files.name, "numbers": files.numbers}
