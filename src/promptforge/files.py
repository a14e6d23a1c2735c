"""A project's files as bytes: from a folder, or from a git revision. Everything after this is pure.

What cannot be read is a problem of that file alone, kept beside the others.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from promptforge.errors import InputError

__all__ = [
    "COMMITTED_LOCK",
    "CONFIG",
    "DEFAULT_FILE_MB",
    "INPUT_FOLDERS",
    "TEMPORARY",
    "YAML",
    "Problem",
    "Tree",
    "content_digest",
    "digest_of",
    "input_paths",
    "is_own",
    "read_file",
    "read_folder",
    "read_revision",
    "said_path",
    "wanted",
]

CONFIG = "promptforge.yaml"
COMMITTED_LOCK = "promptforge.lock"
TEMPORARY = ".pf-tmp"
"""How the name of a file ends that is not yet in its place; one of a killed process is swept away."""
DEFAULT_FILE_MB = 16
INPUT_FOLDERS = ("agents", "fewshot", "knowledge", "suites", "training")
"""Where input files lie, besides promptforge.yaml."""
YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that could not be read; `kind` is `unreadable` or `too large`."""

    file: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The bytes of a project's files by their path, in file-name order, and what could not be read."""

    root: Path
    """The folder on disk that relative paths of tools (tokenizers) start from."""
    files: Mapping[str, bytes]
    problems: tuple[Problem, ...] = ()

    def under(self, folder: str, *, suffixes: tuple[str, ...] = YAML, deep: bool = False) -> Iterator[str]:
        """Paths of files in `folder`, only directly in it unless `deep`."""
        prefix = folder + "/"
        for path in self.files:
            if path.startswith(prefix) and path.endswith(suffixes) and (deep or "/" not in path[len(prefix) :]):
                yield path


def digest_of(content: bytes | str) -> str:
    """The sha256 of bytes or text, as 64 hexadecimal digits."""
    return hashlib.sha256(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content).hexdigest()


def said_path(path: Path, root: Path, *, start: Path | None = None) -> str:
    """A path for a message: from the folder where we are, or `start`; as it is where it lies in no folder of ours.

    Ours is the project, where we are in it, else the folder itself: nobody wants to count the dots of `../../../tmp`.
    """
    here = Path.cwd() if start is None else start
    whole = Path(os.path.abspath(path))  # noqa: PTH100  # without following links: it is said as it was named
    ours = root if here.is_relative_to(root) else here
    return os.path.relpath(whole, here) if whole.is_relative_to(ours) else str(path)


def wanted(path: str) -> bool:
    """Whether a path, relative to the project, is one of its input files."""
    if path == CONFIG:
        return True
    folder, _, rest = path.partition("/")
    if folder == "agents":
        return rest.endswith(YAML) if not rest.startswith("templates/") else len(rest) > len("templates/")
    if folder == "knowledge" and rest.startswith("schemas/"):
        return rest.count("/") == 1 and rest.endswith(".schema.json")
    return folder in ("knowledge", "fewshot", "suites", "training") and "/" not in rest and rest.endswith(YAML)


def is_own(path: str) -> bool:
    """Whether a path, relative to the project, is one of its own files: an input, the lock, what is kept beside it."""
    return path in (CONFIG, COMMITTED_LOCK) or path.startswith((".promptforge/", ".git/")) or wanted(path)


_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def read_file(root: Path, file: str, *, limit_mb: float = DEFAULT_FILE_MB) -> bytes | Problem:
    """The file's bytes, or why they cannot be had; a pipe or a device is not waited for."""
    return _read(f"{root}/{file}", file, int(limit_mb * 2**20))


def content_digest(path: Path) -> str:
    """The sha256 of what lies at a path, and an empty text where there is no file that can be read."""
    content = _read(str(path), str(path), 2**40)
    return digest_of(content) if isinstance(content, bytes) else ""


def _read(path: str, file: str, limit: int) -> bytes | Problem:
    # Plain os calls: a project may have ten thousand files, and pathlib costs more than reading them.
    try:
        handle = os.open(path, _OPEN_FLAGS)
        try:
            status = os.fstat(handle)
            if stat.S_ISDIR(status.st_mode):
                return Problem(file=file, kind="unreadable", message="it is a folder, not a file")
            if not stat.S_ISREG(status.st_mode):
                return Problem(file=file, kind="unreadable", message="it is not a regular file")
            if status.st_size > limit:
                message = f"it has {status.st_size:,} bytes, and the limit is {limit:,} ({limit / 2**20:g} MB)"
                return Problem(file=file, kind="too large", message=message)
            return _read_all(handle, status.st_size)
        finally:
            os.close(handle)
    except OSError as problem:
        return Problem(file=file, kind="unreadable", message=(problem.strerror or str(problem)).lower())


def _read_all(handle: int, size: int) -> bytes:
    content = os.read(handle, size + 1)
    while len(content) < size and (more := os.read(handle, size - len(content))):
        content += more
    return content


def input_paths(root: Path) -> list[str]:
    """The paths of the project's input files, in order."""
    return sorted(_listing(root, []))


def read_folder(root: Path, *, limit_mb: float = DEFAULT_FILE_MB) -> Tree:
    """Every input file of the project in `root`; files over `limit_mb` (2**20 bytes) are refused by their size."""
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    limit = int(limit_mb * 2**20)
    for path in sorted(_listing(root, problems)):
        content = _read(f"{root}/{path}", path, limit)
        if isinstance(content, bytes):
            files[path] = content
        else:
            problems.append(content)
    return Tree(root=root, files=files, problems=tuple(problems))


def _listing(root: Path, problems: list[Problem]) -> Iterator[str]:
    yield CONFIG
    for folder, deep in (("knowledge", False), ("knowledge/schemas", False), ("fewshot", False), ("agents", True)):
        yield from _entries(root, folder, deep, problems)
    for folder in ("suites", "training"):
        yield from _entries(root, folder, False, problems)


def _entries(root: Path, folder: str, deep: bool, problems: list[Problem]) -> Iterator[str]:
    try:
        entries = list(os.scandir(root / folder))
    except FileNotFoundError:
        return
    except OSError as problem:
        problems.append(Problem(file=folder, kind="unreadable", message=(problem.strerror or str(problem)).lower()))
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        # A link to a folder is not followed: it could lead round in a circle.
        if deep and entry.is_dir(follow_symlinks=False) and not entry.name.endswith(YAML):
            yield from _entries(root, path, True, problems)
        elif wanted(path):
            yield path


def read_revision(root: Path, revision: str) -> Tree:
    """Every input file of the project in `root` as git has it at `revision`.

    Raises InputError when there is no git, no repository, no such revision, or no project at it.
    """
    prefix = os.fsdecode(_git(root, "rev-parse", "--show-prefix")).removesuffix("\n")
    tree = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}", what=revision)
    listing = _git(root, "ls-tree", "-r", "-z", "--full-tree", tree.decode().strip(), "--", prefix or ".")
    names: dict[str, str] = {}
    for line in os.fsdecode(listing).split("\0"):
        if line:
            meta, _, name = line.partition("\t")
            if meta.split()[1] == "blob" and wanted(path := name.removeprefix(prefix)):
                names[path] = meta.split()[2]
    if CONFIG not in names:
        raise InputError(f"no {CONFIG} at revision '{revision}'", hint="name a revision that holds the project")
    ordered = sorted(names)
    return Tree(root=root, files=dict(zip(ordered, _blobs(root, [names[p] for p in ordered]), strict=True)))


def _blobs(root: Path, names: list[str]) -> Iterator[bytes]:
    out = _git(root, "cat-file", "--batch", stdin="".join(f"{n}\n" for n in names).encode())
    at = 0
    for _ in names:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        yield out[end + 1 : end + 1 + size]
        at = end + size + 2


_GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def _git(root: Path, *arguments: str, stdin: bytes | None = None, what: str = "") -> bytes:
    import subprocess  # only for git

    # Inside a hook git names the repository in the environment: the one that `root` lies in is meant.
    environ = {name: value for name, value in os.environ.items() if name not in _GIT_PLACES}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environ)
    except FileNotFoundError as problem:
        raise InputError("git is not installed", hint="install git, or name two folders") from problem
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        if what:
            raise InputError(f"'{what}' is neither a folder nor a git revision", hint=said or "see: git log --oneline")
        raise InputError(f"git: {said}", hint="compare two folders instead, or run this inside a git repository")
    return done.stdout
