"""The wheel, installed into an environment of its own: it starts, it is whole, and no folder of the user shadows it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from gumpc import __version__
from tests.arch.imports import PACKAGES, ROOT, files

pytestmark = pytest.mark.slow

DATA = (
    "gumpc/builtin/**/*.yaml",
    "gumpc/*.toml",
    "grammar/*.lark",
    "grammar/*.json",
    "gumpc/py.typed",
    "runtime/py.typed",
)


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def binaries(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a new environment with the wheel; its dependencies are those of the environment at hand."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).stdout.strip())
    # A line of a .pth adds one folder and does not run the .pth files in there, so the checkout stays out of the way.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=home)
    return home / "bin"


@pytest.fixture
def namesakes(tmp_path: Path) -> Path:
    """A repository whose own folders are called like our packages, two of them importable."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
    for package in ("runtime", "grammar"):
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('the wrong package')\n", "utf-8")
    (tmp_path / "go.mod").write_text("module example\n", "utf-8")
    return tmp_path


def test_everything_is_in_the_wheel(wheel: Path):
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in files().values()}
    data = {str(path.relative_to(ROOT)) for pattern in DATA for path in ROOT.glob(pattern)}
    assert sorted((modules | data) - inside) == []
    assert {name.partition("/")[0] for name in inside} == {*PACKAGES, f"gumpc-{__version__}.dist-info"}


def test_the_data_that_must_be_there():
    names = {path.stem for path in (ROOT / "gumpc/builtin/workflows").glob("*.yaml")}
    assert names >= {"tdd", "cheap2sota", "parallel-tasks", "implement-spec", "bugfix", "refactor", "freeform"}
    assert (ROOT / "grammar/template.lark").is_file()


def test_it_starts(binaries: Path, namesakes: Path):
    assert __version__ in run(binaries / "gumpc", "--version", cwd=namesakes).stdout


@pytest.mark.parametrize("start", [("gumpc",), ("python", "-m", "gumpc")], ids=["script", "module"])
def test_no_folder_of_the_user_shadows_it(binaries: Path, namesakes: Path, start: tuple[str, ...]):
    program, *rest = start
    run(binaries / program, *rest, "check", "tdd", cwd=namesakes)
