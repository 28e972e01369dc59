"""The entry point: `gumpc` and `python -m gumpc`, both from any folder, whatever it holds.

`python -m` puts the working directory in front of the import path, and that may be a repository with a folder named
`runtime` or `grammar`; our own folder takes its place before anything else of ours is imported. `check`, which editors
and hooks call on every save, is recognised here and does without the command-line framework when its arguments are
plain.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the return value is the exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["check"] and not any(a.startswith("-") and a != "-" for a in arguments):
        import gc

        gc.disable()  # the process is over before a collection could gain what it costs, a twentieth of the whole
        from gumpc.cli.checking import check_paths

        return check_paths(tuple(arguments[1:]))
    from gumpc.cli.main import run

    return run()


if __name__ == "__main__":
    sys.path[0] = __file__.rpartition("/gumpc/")[0]
    sys.exit(main())
