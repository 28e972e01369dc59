"""A tiny editor: it starts a language server on stdio, opens documents, and asks what a person would see."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Self

Message = dict[str, Any]


class Editor:
    """One server; its schemas come from the modelines of the documents alone, never from a network."""

    def __init__(self, command: Path, folder: Path) -> None:
        self._server = subprocess.Popen(
            [command, "--stdio"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._folder = folder
        self._asked = 0

    def __enter__(self) -> Self:
        self._ask("initialize", {"processId": None, "rootUri": self._folder.as_uri(), "capabilities": {}})
        self._tell("initialized", {})
        settings = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "hover": True, "completion": True}}
        self._tell("workspace/didChangeConfiguration", {"settings": settings})
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("shutdown", None)
        self._tell("exit", None)
        self._server.communicate(timeout=30)

    def open(self, name: str, text: str) -> list[Message]:
        """Open a document; its diagnostics."""
        document = {"uri": self._uri(name), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self._read()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == self._uri(
                name
            ):
                found: list[Message] = message["params"]["diagnostics"]
                return found

    def hover(self, name: str, line: int, column: int) -> str:
        """What is shown above a place, both counted from 0."""
        answer = self._ask("textDocument/hover", self._place(name, line, column))
        return str(answer["contents"]["value"]) if answer else ""

    def completions(self, name: str, line: int, column: int) -> list[str]:
        """The labels that are offered at a place."""
        answer = self._ask("textDocument/completion", self._place(name, line, column))
        return [item["label"] for item in (answer["items"] if isinstance(answer, dict) else answer)]

    def _place(self, name: str, line: int, column: int) -> Message:
        return {"textDocument": {"uri": self._uri(name)}, "position": {"line": line, "character": column}}

    def _uri(self, name: str) -> str:
        return (self._folder / name).as_uri()

    def _ask(self, method: str, params: object) -> Any:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": params})
        while (message := self._read()).get("id") != self._asked or "method" in message:
            pass
        assert "error" not in message, message["error"]
        return message["result"]

    def _tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._server.stdin.flush()

    def _read(self) -> Message:
        """The next message; requests of the server are answered with nothing."""
        assert self._server.stdout
        size = 0
        while line := self._server.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "the language server ended"
        message: Message = json.loads(self._server.stdout.read(size))
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message
