"""Makes telemetry columns from a drawn day, a piece at a time: takes from ready texts, never a loop over rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detection.simulation import wording
from detection.simulation.cast import COUNTRIES
from detection.simulation.choices import Ints, mix
from detection.simulation.drawing import ALL_MODELS, FINE, THINKING, Drawn, draw
from detection.simulation.ensemble import Ensemble, hexed, tokens
from detection.simulation.plan import NOBODY, Day
from detection.simulation.population import USER_AGENTS
from detection.simulation.scale import SPREAD, START
from detection.telemetry.columns import TIME

PIECE = 131_072  # rows made into texts at once
HEX = pa.array([f"{n:x}" for n in range(65_536)])
TEMPERATURES = pa.array([None, 0.0, 0.7, 1.0], pa.float64())
STATUSES = pa.array([200, 429, 500])
ERRORS = pa.array([None, "rate_limit_exceeded", "server_error"])
ENDS = pa.array(["stop", None, None])
SURFACES = pa.array(["api", "chat"])


@dataclass(frozen=True)
class Piece:
    """Some rows of a day, and the cast they belong to."""

    texts: Texts
    cast: Ensemble
    day: Day
    drawn: Drawn
    some: slice

    @property
    def place(self) -> Ints:
        return self.day.place[self.some]

    def of(self, name: str) -> Any:
        """Give a column of the cast for each row."""
        return self.cast.columns[name][self.place]

    def rows(self) -> Ints:
        return np.arange(self.some.start, self.some.stop)


class Texts:
    """The ready strings of prompts. `escaped`: as they stand inside a JSON string."""

    def __init__(self, cast: Ensemble, *, escaped: bool) -> None:
        scale, frames = cast.scale, cast.frames
        pools = wording.pools(scale.seed, scale.exchanges, scale.prompt_length)
        self.size = len(pools[0][0])
        self.fillings = np.array(frames.fillings)
        halves = [[text for pool in pools for text in pool[half]] for half in (0, 1)]
        parts = (frames.prefixes, *halves, frames.suffixes)
        self.parts = [_array(texts, escaped) for texts in parts]
        self.sizes = [np.array([len(text) for text in texts]) for texts in parts]

    def places(self, frame: Ints, item: Any) -> tuple[Ints, Ints, Ints, Ints]:
        """Give which prefix, first and second part and suffix a frame and an item mean."""
        size = np.uint64(self.size)
        base = self.fillings[frame] * self.size
        return frame, base + (item % size).astype(np.int64), base + (item // size % size).astype(np.int64), frame

    def prompts(self, frame: Ints, item: Any) -> pa.Array:
        """Compose a prompt for each frame and item."""
        places = self.places(frame, item)
        taken = [texts.take(pa.array(at)) for texts, at in zip(self.parts, places, strict=True)]
        return pc.binary_join_element_wise(*taken, "")

    def lengths(self, frame: Ints, item: Any) -> Ints:
        """Give the number of characters of each prompt."""
        places = self.places(frame, item)
        whole: Ints = np.sum([sizes[at] for sizes, at in zip(self.sizes, places, strict=True)], axis=0)
        return whole


def _array(texts: Sequence[str], escaped: bool) -> pa.Array:
    return pa.array([json.dumps(text, ensure_ascii=False)[1:-1] for text in texts] if escaped else texts)


def tables(cast: Ensemble, texts: Texts, day: Day) -> Iterator[pa.Table]:
    """Give a day's exchanges in tables of at most `PIECE` rows, in order of time."""
    drawn = draw(cast, day)
    names = CORE if cast.scale.columns == "core" else COLUMNS
    for start in range(0, len(day), PIECE):
        piece = Piece(texts, cast, day, drawn, slice(start, min(start + PIECE, len(day))))
        yield pa.table({name: COLUMNS[name](piece) for name in names})


def _numbers(piece: Piece, rows: Ints, salt: int) -> Any:
    """Give a 64-bit number for each row of the day, different for all rows of all days."""
    seed = np.uint64(piece.cast.scale.seed & 2**64 - 1)
    numbers = (rows + (piece.day.number << 40)).astype(np.uint64) * np.uint64(SPREAD) + seed
    return numbers if not salt else mix(numbers, salt)


def _request_id(piece: Piece) -> pa.Array:
    return pc.binary_join_element_wise("req_", *hexed(_numbers(piece, piece.rows(), 0), 4), "")


def _ts(piece: Piece) -> pa.Array:
    start = START + timedelta(days=piece.day.number)
    return pa.array(piece.day.time[piece.some] + int(start.timestamp()) * 1_000_000).cast(TIME)


def _ip(piece: Piece) -> pa.Array:
    """Give addresses of the documentation range 2001:db8::/32, one /48 for each network."""
    network, host = piece.drawn.network[piece.some] + 1, piece.drawn.host[piece.some]
    parts = [HEX.take(pa.array(part)) for part in (network, host >> 16 & 0xFFFF, host & 0xFFFF)]
    return pc.binary_join_element_wise(pc.binary_join_element_wise("2001:db8", parts[0], parts[1], ":"), parts[2], "::")


def _coded(texts: Sequence[str], places: Any) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(texts))


def _country(piece: Piece) -> pa.Array:
    return _coded(COUNTRIES, piece.cast.networks.country[piece.drawn.network[piece.some]])


def _input_tokens(piece: Piece) -> pa.Array:
    length = piece.texts.lengths(piece.drawn.frame[piece.some], piece.day.item[piece.some])
    return pa.array(length // 4 + 3 + (piece.drawn.chance[piece.some] * 12).astype(np.int64))


def _where(values: Any, there: Any) -> pa.Array:
    """Give the values, null where `there` is false."""
    return pa.array(values, mask=~there)


def _thinking(piece: Piece) -> Any:
    fine = piece.drawn.outcome[piece.some] == FINE
    return THINKING[piece.drawn.model[piece.some]] & fine


def _reasoning_tokens(piece: Piece) -> pa.Array:
    many = piece.drawn.output[piece.some] * (1 + 3 * piece.drawn.chance[piece.some])
    return pa.array(np.where(_thinking(piece), many, 0).astype(np.int64))


def _api_key(piece: Piece) -> pa.Array:
    """Give keys: one for a person or a pool's member, up to three for a product."""
    several = ~(piece.of("talks") | piece.of("pooled"))
    keys = piece.place * 4 + np.where(several, piece.drawn.chance[piece.some] * 3, 0).astype(np.int64)
    return tokens("key_", keys, piece.cast.scale.seed, 4)


def _conversation(piece: Piece) -> pa.Array:
    number = piece.day.sitting[piece.some] + (piece.day.number << 40)
    there = pa.array(piece.of("talks"))
    return pc.if_else(there, tokens("conv_", number, piece.cast.scale.seed, 5), pa.scalar(None, pa.string()))


def _ja4(piece: Piece) -> pa.Array:
    """Give TLS fingerprints: of the stated client, or the one that a pool's own program has whatever it states."""
    own = piece.of("tls")
    return _coded(piece.cast.ciphers, np.where(own < 0, piece.drawn.agent[piece.some], len(USER_AGENTS) + own))


def _logit_bias(piece: Piece) -> pa.Array:
    probes = piece.of("probes")
    return _where((piece.drawn.chance[piece.some] * 300).astype(np.int64), probes)


def _top_logprobs(piece: Piece) -> pa.Array:
    number = np.where(piece.of("probes"), 20, piece.of("logprobs")).astype(np.int64)
    return _where(number, number > 0)


def _max_tokens(piece: Piece) -> pa.Array:
    number = np.where(piece.of("probes"), 1, piece.of("ceiling")).astype(np.int64)
    return _where(number, number > 0)


def _n(piece: Piece) -> pa.Array:
    several = (piece.of("samples") > 1) & (piece.drawn.chance[piece.some] < 0.1)
    return pa.array(np.where(several, 4, 1))


def _blocks(piece: Piece, rows: Ints, there: Any) -> pa.Array:
    """Give lists of one hash of the reasoning that an exchange of the day issued; null where there is none."""
    numbers = rows[there]
    hashes = pc.binary_join_element_wise(
        *hexed(_numbers(piece, numbers, 1), 4), *hexed(_numbers(piece, numbers, 2), 4), ""
    )
    offsets = np.concatenate([[0], np.cumsum(there)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), hashes, mask=pa.array(~there))


def _issued(piece: Piece) -> pa.Array:
    return _blocks(piece, piece.rows(), _thinking(piece))


def _presented(piece: Piece) -> pa.Array:
    rows = piece.drawn.presented[piece.some]
    return _blocks(piece, rows, rows != NOBODY)


def _outcomes(texts: pa.Array) -> Column:
    return lambda piece: texts.take(pa.array(piece.drawn.outcome[piece.some]))


Column = Callable[[Piece], pa.Array]
COLUMNS: Mapping[str, Column] = {
    "request_id": _request_id,
    "ts": _ts,
    "account_id": lambda piece: piece.cast.ids.take(pa.array(piece.place)),
    "org_id": lambda piece: piece.cast.orgs.take(pa.array(piece.place)),
    "ip": _ip,
    "asn": lambda piece: pa.array(piece.cast.networks.asn[piece.drawn.network[piece.some]]),
    "country": _country,
    "user_agent": lambda piece: _coded(USER_AGENTS, piece.drawn.agent[piece.some]),
    "payment_fingerprint": lambda piece: piece.cast.payments.take(pa.array(piece.place)),
    "model": lambda piece: _coded(ALL_MODELS, piece.drawn.model[piece.some]),
    "input_tokens": _input_tokens,
    "output_tokens": lambda piece: pa.array(piece.drawn.output[piece.some]),
    "prompt": lambda piece: piece.texts.prompts(piece.drawn.frame[piece.some], piece.day.item[piece.some]),
    "surface": lambda piece: SURFACES.take(pa.array(piece.of("talks").astype(np.int64))),
    "api_key_id": _api_key,
    "conversation_id": _conversation,
    "ja4": _ja4,
    "reasoning_tokens": _reasoning_tokens,
    "n": _n,
    "temperature": lambda piece: TEMPERATURES.take(pa.array(piece.of("temperature"))),
    "top_logprobs": _top_logprobs,
    "logit_bias_count": _logit_bias,
    "max_tokens": _max_tokens,
    "status": _outcomes(STATUSES),
    "error_code": _outcomes(ERRORS),
    "finish_reason": _outcomes(ENDS),
    "issued_block_hashes": _issued,
    "presented_block_hashes": _presented,
}
CORE = tuple(COLUMNS)[: list(COLUMNS).index("surface")]
