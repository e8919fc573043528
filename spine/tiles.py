"""The tree as tiles in the C2SP tlog-tiles form: files of 256 hashes that can be kept where nobody here can reach them.

`tile/<L>/<N>` holds the hashes of level 8·L from 256·N on, 32 bytes each, 256 of them, or W in `tile/<L>/<N>.p/<W>`
while the tile grows. N is written in groups of three digits, all but the last with an `x` before them: 1234067 is
`x001/x234/067`. `checkpoint` beside `tile/` is the signed note the tiles are of. Entry bundles are not written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spine import merkle
from spine.merkle import Lookup

WIDTH = 256
HEIGHT = 8
Hashes = Callable[[int, int, int], list[bytes]]


class NotTiles(ValueError):  # noqa: N818 - what the folder is
    """Why a folder is not the tiles of a checkpoint; the message names the file."""


@dataclass(frozen=True)
class Tile:
    """One tile: `width` hashes of level 8·level, from 256·number on."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """Its path under the folder of the log."""
        path = f"tile/{self.level}/{_grouped(self.number)}"
        return path if self.width == WIDTH else f"{path}.p/{self.width}"


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree of this size, from the leaves upwards."""
    level = 0
    while count := size >> (HEIGHT * level):
        for number in range(count // WIDTH):
            yield Tile(level, number, WIDTH)
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1


def write(folder: Path, size: int, note: str, hashes: Hashes) -> int:
    """Write the tiles of a tree and its checkpoint; complete tiles that are there already are left. Returns how many.

    `hashes(level, first, count)` gives stored nodes of one level of the tree. Raises NotTiles when a complete tile is
    there with other bytes: another history was exported to this folder.
    """
    written = 0
    for tile in tiles_of(size):
        content = b"".join(hashes(HEIGHT * tile.level, tile.number * WIDTH, tile.width))
        path = folder / tile.path
        if path.exists():
            if path.read_bytes() != content:
                raise NotTiles(f"{tile.path} is there already, of another history")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        _whole(path, content)
        written += 1
    _whole(folder / "checkpoint", note.encode())
    return written


def leaves(folder: Path, size: int) -> Iterator[bytes]:
    """The leaf hashes in the tiles of a tree of this size, in order, tile by tile. Raises NotTiles."""
    for tile in tiles_of(size):
        if tile.level == 0:
            yield from _hashes(folder, tile)


def check(folder: Path, size: int, root: bytes) -> None:
    """Whether the tiles are of the tree with this size and root, every level from the one below. Raises NotTiles."""
    below = Tree()
    uppers: dict[tuple[int, int], bytes] = {}
    for leaf in leaves(folder, size):
        for (level, index), value in below.append(leaf):
            if level % HEIGHT == 0:
                uppers[level, index] = value
        if len(uppers) >= WIDTH:
            _check_uppers(folder, size, uppers)
    _check_uppers(folder, size, uppers)
    if below.root() != root:
        raise NotTiles("tile/0: the leaves do not give the root that the checkpoint beside them was signed with")


def _check_uppers(folder: Path, size: int, uppers: dict[tuple[int, int], bytes]) -> None:
    for (level, index), value in uppers.items():
        number, place = divmod(index, WIDTH)
        whole = size >> level
        width = WIDTH if whole >= (number + 1) * WIDTH else whole % WIDTH
        tile = Tile(level // HEIGHT, number, width)
        if _hashes(folder, tile)[place] != value:
            raise NotTiles(f"{tile.path}: hash {place} does not follow from the tile below it")
    uppers.clear()


def _hashes(folder: Path, tile: Tile) -> list[bytes]:
    try:
        content = (folder / tile.path).read_bytes()
    except OSError as error:
        raise NotTiles(f"{tile.path}: {error.strerror}") from None
    if len(content) != 32 * tile.width:
        raise NotTiles(f"{tile.path}: {32 * tile.width} bytes are expected, {len(content)} are there")
    return [content[start : start + 32] for start in range(0, len(content), 32)]


def _grouped(number: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def _whole(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)


class Tree:
    """A growing tree as its complete left subtrees, highest first: (level, hash). Constant memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
        """Add a leaf; yields every complete node this makes, as ((level, index), hash)."""
        level, value, index = 0, leaf, self.size
        self.size += 1
        while self._peaks and self._peaks[-1][0] == level:
            value = merkle.node_hash(self._peaks.pop()[1], value)
            level, index = level + 1, index >> 1
            yield (level, index), value
        self._peaks.append((level, value))

    def root(self) -> bytes:
        """The root over everything appended."""
        if not self._peaks:
            return merkle.EMPTY_ROOT
        value = self._peaks[-1][1]
        for _, left in reversed(self._peaks[:-1]):
            value = merkle.node_hash(left, value)
        return value


def stored(lookup: Lookup) -> Hashes:
    """`Hashes` from a lookup of single nodes."""
    return lambda level, first, count: [lookup(level, first + place) for place in range(count)]
