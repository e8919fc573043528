"""A source of findings and receiver of webhooks over HTTP, a process of its own that misbehaves when it is told to.

It may stand in front of an S3-compatible server (`behind`) and hand on what that answers, its lists changed.

    python -m tests.lying_server       prints its port, then serves until it is ended

POST /control sets what it does; GET /asked gives the requests it has had. `mood` is how it treats the next `times`
requests for data (all, without it), of those whose addresses begin with `where`.
"""

import gzip
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FRESH: dict[str, Any] = {
    "items": [],
    "mood": "",
    "times": -1,
    "where": "",
    "behind": "",
    "size": 3,
    "auth": None,
    "newest_first": False,
    "elsewhere": "http://127.0.0.1:1/",
    "expires_in": 3600,
    "takes": 0,
}
BOMB = gzip.compress(b"\n" * 50_000_000)
state: dict[str, Any] = dict(FRESH)
asked: list[dict[str, Any]] = []
lists: dict[str, bytes] = {}  # as they came from behind, by address


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/control":
            given = json.loads(body)
            if given.pop("fresh", False):
                state.clear()
                state.update(FRESH)
                asked.clear()
                lists.clear()
            state.update(given)
            return self.answer(b"{}")
        self.note(body)
        if self.path == "/token":
            if self.turned():
                return None
            token = {"access_token": "granted", "token_type": "Bearer", "expires_in": state["expires_in"]}
            return self.answer(json.dumps(token).encode())
        if self.path.startswith("/hook"):
            return self.take()
        return self.answer(b"{}", status=404)

    def take(self) -> None:
        """Receive a webhook, after a while if it is told to take its time."""
        mood = state["mood"]
        time.sleep(state["takes"])
        if mood and state["times"]:
            state["times"] -= 1
            if self.misbehave(mood):
                return None
        return self.answer(b"thank you\x00 \xe2\x80\xae <b>")

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/asked":
            return self.answer(json.dumps(asked).encode())
        self.note(b"")
        if state["auth"] and self.headers.get(state["auth"][0]) != state["auth"][1]:
            return self.answer(b'{"detail": "who are you?"}', status=401)
        mood = self.mood()
        if mood and self.misbehave(mood):
            return None
        if state["behind"]:
            return self.hand_on(mood)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return getattr(self, f"serve_{parts.path.strip('/')}")(query, mood)

    def mood(self) -> str:
        """How this request is treated; it counts."""
        if not state["mood"] or not state["times"] or not self.path.startswith(state["where"]):
            return ""
        state["times"] -= 1
        return str(state["mood"])

    def turned(self) -> bool:
        """Whether a request for a token, which is treated badly only where it is meant, has had its answer."""
        mood = self.mood() if state["where"] else ""
        return bool(mood) and self.misbehave(mood)

    def note(self, body: bytes) -> None:
        asked.append({"path": self.path, "headers": dict(self.headers), "body": body.decode()})

    def misbehave(self, mood: str) -> bool:
        """Whether that was the whole answer."""
        if mood in {"429", "500", "503", "401", "204", "410"}:
            self.answer(b"no", status=int(mood), extra={"Retry-After": "120"} if mood == "429" else {})
        elif mood == "redirect":
            self.answer(b"", status=302, extra={"Location": state["elsewhere"]})
        elif mood == "cut":
            self.close_connection = True
        elif mood == "hang":
            time.sleep(60)
        elif mood == "slow":
            self.dribble(b'{"data": [' + b" " * 1000)
        elif mood == "slow headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(200):
                self.wfile.write(f"X-{number}: x\r\n".encode())
                self.wfile.flush()
                time.sleep(0.1)
        elif mood == "truncated":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b'{"data": [')
            self.close_connection = True
        elif mood == "truncated chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b'a\r\n{"data": [\r\n')
            self.close_connection = True
        elif mood == "bomb":
            self.answer(BOMB, extra={"Content-Encoding": "gzip"})
        elif mood == "damaged":
            self.answer(gzip.compress(b"x" * 5000)[:-40] + b"y" * 40, extra={"Content-Encoding": "gzip"})
        elif mood == "unknown encoding":
            self.answer(b"x", extra={"Content-Encoding": "br"})
        elif mood == "big":
            self.send_response(200)
            self.send_header("Content-Length", str(10**12))
            self.end_headers()
            while True:
                self.wfile.write(b" " * 65536)
        elif mood == "garbage":
            self.answer(b"<html>It works!</html>", extra={"Content-Type": "text/html"})
        elif mood == "nonsense":
            self.wfile.write(b"\x16\x03\x01 what is this\r\n\r\n")
            self.close_connection = True
        else:
            return False
        return True

    def dribble(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            self.wfile.flush()
            time.sleep(0.1)

    def answer(self, body: bytes, status: int = 200, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    # a bucket behind

    def hand_on(self, mood: str) -> None:
        """What the server behind answers; a list repeats or has no end, an object is half of one, as the mood says."""
        is_list = "list-type=2" in self.path
        bare = re.sub(r"continuation-token=(again|part-\d+)&", "", self.path)
        if is_list and mood in {"repeat", "endless"} and bare in lists:
            status, body = 200, lists[bare]
        else:
            status, body = self.behind(bare)
        if is_list and mood in {"repeat", "endless"}:
            lists[bare] = body
            token = "again" if mood == "repeat" else f"part-{len(asked)}"
            more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
            body = re.sub(rb"<IsTruncated>\w+</IsTruncated>", more.encode(), body)
        if mood == "half" and not is_list:
            body = body[: len(body) // 2]
        self.answer(body, status=status)

    def behind(self, path: str) -> tuple[int, bytes]:
        try:
            request = urllib.request.Request(f"{state['behind']}{path}")
            request.add_header("Authorization", self.headers.get("Authorization", ""))
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    # sources

    def items(self, mood: str) -> list[Any]:
        found = list(state["items"])
        if mood == "changed order":
            found = found[1::2] + found[::2]
        return found[::-1] if state["newest_first"] else found

    def part(self, items: list[Any], start: int, mood: str) -> list[Any]:
        if mood == "endless":
            return [{**items[0], "uid": f"endless-{start + place}"} for place in range(state["size"])]
        return items[: state["size"]] if mood == "repeat" else items[start : start + state["size"]]

    def serve_page(self, query: dict[str, str], mood: str) -> None:
        start = (int(query.get("page", 1)) - 1) * state["size"]
        self.answer(json.dumps({"data": self.part(self.items(mood), start, mood)}).encode())

    def serve_cursor(self, query: dict[str, str], mood: str) -> None:
        items, start = self.items(mood), int(query.get("cursor", 0))
        after = start + state["size"]
        more = after < len(items) or mood == "endless"
        following = "0" if mood == "repeat" else str(after) if more else None
        self.answer(json.dumps({"data": self.part(items, start, mood), "meta": {"next": following}}).encode())

    def serve_link(self, query: dict[str, str], mood: str) -> None:
        items, start = self.items(mood), int(query.get("start", 0))
        after = start + state["size"]
        extra = {}
        if after < len(items):
            to = state["elsewhere"] if mood == "link elsewhere" else f"/link?start={after}"
            extra = {"Link": f'</link?start=0>; rel="first", <{to}>; rel="next"'}
        self.answer(json.dumps(self.part(items, start, mood)).encode(), extra=extra)

    def serve_since(self, query: dict[str, str], mood: str) -> None:
        items = [one for one in self.items("") if one["updated_at"] >= query.get("since", "")]
        items = [one for one in items if one["updated_at"] < query.get("until", "~")]
        items.sort(key=lambda one: one["updated_at"], reverse=mood == "changed order")
        lines = [json.dumps(one) for one in items[: int(query.get("limit", state["size"]))]]
        self.answer("\n".join(lines).encode())

    def serve_raw(self, query: dict[str, str], mood: str) -> None:
        self.answer(str(state["raw"]).encode())


@dataclass(frozen=True)
class Lying:
    """The running server, from a test."""

    url: str

    def control(self, **given: Any) -> None:
        request = urllib.request.Request(f"{self.url}/control", json.dumps(given).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    def asked(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/asked", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found


@contextmanager
def running() -> Iterator[Lying]:
    """The server in a process of its own, ended after the block."""
    process = subprocess.Popen([sys.executable, "-m", "tests.lying_server"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Lying(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
