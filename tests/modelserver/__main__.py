"""`python -m tests.modelserver SCRIPT.json [--port N]` prints its URL and plays a script until interrupted."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from tests.modelserver.script import Script
from tests.modelserver.server import ModelServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.modelserver", description=__doc__)
    parser.add_argument("script", type=Path, help="a JSON list of rules")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments = parser.parse_args()
    with ModelServer(Script.load(arguments.script).rules, arguments.port) as server:
        print(server.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests")


if __name__ == "__main__":
    main()
