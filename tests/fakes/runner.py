"""A runtime to be killed: `runner.py FOLDER ARGUMENT…` runs the command in FOLDER and passes on its lines.

Its own environment is the command's, the exit record is FOLDER/record, and its last line is how the command ended.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from runtime.process import Command, run


def main(folder: Path, argv: tuple[str, ...]) -> None:
    command = Command(argv, str(folder), os.environ, folder / "stdout", folder / "stderr", folder / "record")
    result = run(command, on_line=lambda line: print(line.decode(), flush=True))
    print(result.reason, result.code, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]))
