"""The HTTP side of the model server: Anthropic's messages API, streamed or whole, on a free port of the loopback.

Requests without tools are a CLI's side jobs (a title for the session, a probe of the quota): they get a short
answer and never touch the script. A request with tools that no rule matches gets an error which says so, since a
made-up answer would let a test pass for the wrong reason.
"""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.modelserver.script import Block, Cue, Fault, Rule, Script, Turn, say, with_directory, working_directory

_SIDE_JOB = Turn([say("ok")], {"input_tokens": 1, "output_tokens": 1})


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came, and what it was answered: `rule` and `turn` are None for all but scripted answers."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    status: int
    rule: Rule | None = None
    turn: int | None = None

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


class ModelServer:
    """Plays `rules` on `url` while the `with` block lasts; `requests` holds what was asked so far, oldest first."""

    def __init__(self, rules: Sequence[Rule] = (), port: int = 0) -> None:
        self.script = Script(rules)
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._faults: Counter[int] = Counter()
        self._ids = itertools.count(1)
        self._closing = threading.Event()
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def played(self) -> list[Request]:
        """The requests that the script answered, without side jobs and the like."""
        return [request for request in self.requests if request.rule is not None]

    def play(self, *rules: Rule) -> None:
        """Replace the script; requests so far are kept."""
        self.script = Script(rules)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass, or less when the server closes."""
        self._closing.wait(seconds)

    def next_id(self) -> int:
        with self._lock:
            return next(self._ids)

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def due(self, turn: Turn) -> Fault | None:
        """The fault that this request of `turn` gets, counting it."""
        fault = turn.fault
        if fault is None:
            return None
        with self._lock:
            self._faults[id(fault)] += 1
            return fault if fault.times is None or self._faults[id(fault)] <= fault.times else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], model_server: ModelServer) -> None:
        super().__init__(address, _Exchange)
        self.model_server = model_server

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a CLI that is killed or reaches its limit hangs up in the middle, by design of the tests."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Standard error belongs to the tests."""

    def do_GET(self) -> None:
        self._answer({}, self._send_json(200, {"data": [], "has_more": False}))

    def do_HEAD(self) -> None:
        self._answer({}, self._send_json(200, None))

    def do_POST(self) -> None:
        body = self._read_body()
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._answer(body, self._send_json(200, {"input_tokens": len(json.dumps(body)) // 4}))
        elif path.endswith("/messages"):
            self._message(body)
        else:
            self._answer(body, self._send_json(200, {}))

    def _read_body(self) -> Mapping[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {"list": body}

    def _message(self, body: Mapping[str, Any]) -> None:
        owner = self.server.model_server
        if not body.get("tools"):
            self._answer(body, 200)
            self._send_message(body, _SIDE_JOB, cut=False)
            return
        cue = owner.script.cue(body)
        if cue is None:
            fault = Fault(400, "invalid_request_error", "no rule of the script matches this conversation")
            self._answer(body, self._send_fault(fault))
            return
        owner.wait(cue.turn.delay)
        self._play(body, cue, owner.due(cue.turn))

    def _play(self, body: Mapping[str, Any], cue: Cue, fault: Fault | None) -> None:
        status = 200 if fault is None or fault.cut else fault.status
        self._answer(body, status, cue)
        if fault is not None and not fault.cut:
            self._send_fault(fault)
        else:
            self._send_message(body, cue.turn, cut=fault is not None)

    def _answer(self, body: Mapping[str, Any], status: int, cue: Cue | None = None) -> None:
        rule, turn = (cue.rule, cue.index) if cue else (None, None)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.model_server.record(Request(self.command, self.path, headers, body, status, rule, turn))

    def _send_json(self, status: int, content: object, headers: Mapping[str, str] | None = None) -> int:
        payload = b"" if content is None else json.dumps(content).encode()
        self._send(status, payload, {**(headers or {}), "Content-Type": "application/json"})
        return status

    def _send(self, status: int, payload: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
        """Send an answer, or the first half of one that was announced as whole."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if cut else payload)
        if cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send_fault(self, fault: Fault) -> int:
        error = {"type": "error", "error": {"type": fault.kind, "message": fault.message}}
        return self._send_json(fault.status, error, fault.headers)

    def _send_message(self, body: Mapping[str, Any], turn: Turn, *, cut: bool) -> None:
        message = _message(body, turn, self.server.model_server.next_id())
        if body.get("stream"):
            payload = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _events(message))
            kind = "text/event-stream"
        else:
            payload, kind = json.dumps(message), "application/json"
        self._send(200, payload.encode(), {"Content-Type": kind}, cut=cut)


def _message(body: Mapping[str, Any], turn: Turn, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number:06d}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": _content(turn.blocks, working_directory(body), number),
        "stop_reason": "tool_use" if turn.calls_tool else "end_turn",
        "stop_sequence": None,
        "usage": {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **turn.usage},
    }


def _content(blocks: Sequence[Block], directory: str, number: int) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for position, block in enumerate(blocks):
        filled = with_directory(dict(block), directory)
        content.append({"id": f"toolu_{number:06d}_{position}", **filled} if block["type"] == "tool_use" else filled)
    return content


def _events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The server-sent events of a streamed answer."""
    started = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": started}
    for index, block in enumerate(message["content"]):
        opened, delta = _opened(block)
        yield {"type": "content_block_start", "index": index, "content_block": opened}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _opened(block: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A block as it starts, empty, and the one delta that fills it."""
    if block["type"] == "tool_use":
        return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    return {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
