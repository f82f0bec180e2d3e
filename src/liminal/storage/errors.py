"""What can go wrong with storage; every class has a stable ``code``."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class StorageError(LiminalError):
    """Root of storage's errors."""

    code: ClassVar[str] = "storage"


class DatabaseUnavailable(StorageError):
    """Postgres did not answer."""

    code: ClassVar[str] = "database_unavailable"


class RedisUnavailable(StorageError):
    """Redis did not answer."""

    code: ClassVar[str] = "redis_unavailable"


class MigrationError(StorageError):
    """The database was migrated by something that this version of liminal does not know."""

    code: ClassVar[str] = "migration"


class MasterKeyError(StorageError):
    """The master key is missing, unsafe, or not the one that wrapped this vault's keys."""

    code: ClassVar[str] = "master_key"


class OwnerErased(StorageError):
    """The owner's data key was deleted for good; nothing personal can be written under it again."""

    code: ClassVar[str] = "owner_erased"

    def __init__(self, owner: str) -> None:
        super().__init__(f"the data of {owner} was erased", owner=owner)
        self.owner = owner


class BlobMissing(StorageError):
    """No blob with this hash is in the store."""

    code: ClassVar[str] = "blob_missing"


class BlobCorrupt(StorageError):
    """The stored bytes do not have the hash they are stored under."""

    code: ClassVar[str] = "blob_corrupt"


class BlobStoreUnavailable(StorageError):
    """The blob store can't be opened or did not answer."""

    code: ClassVar[str] = "blob_store_unavailable"
