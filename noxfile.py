"""The checks of this repository: `nox` runs them, `nox --list` lists them."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import nox


nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "typing", "tests", "oldest", "coverage", "guard"]

PROJECT = nox.project.load_toml("pyproject.toml")
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
COVERED = ("-m", "coverage", "run", "-m", "pytest")
IN_PARALLEL = ("-n", "2", "--dist", "loadfile")


def interpreters() -> list[str]:
    """Return one working interpreter of each supported version on this machine."""
    versions = pathlib.Path.home() / ".pyenv" / "versions"
    found = []
    for version in VERSIONS:
        managed = sorted(versions.glob(f"{version}.*/bin/python"))
        candidates = [shutil.which(f"python{version}"), *map(str, managed)]
        working = [python for python in candidates if python and runs(python)]
        found += working[:1]
    return found


def runs(python: str) -> bool:
    # A shim can be on the path although there is no Python behind it.
    command = [python, "-c", "import venv"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - an interpreter of this machine


def dependencies(*groups: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, *groups)


def install_wheel(session: nox.Session, *constraints: str) -> None:
    """Install the package as users do, from a wheel."""
    wheels = pathlib.Path(session.create_tmp())
    for old in wheels.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, ".")
    (wheel,) = wheels.glob("*.whl")
    session.install(f"{wheel}[cli]", *dependencies("tests"), *constraints)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, and the layers of the package."""
    session.install("-e", ".", *dependencies("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of the package and of a file that uses all of the public API."""
    session.install("-e", ".[cli]", *dependencies("typing"))
    session.run("mypy", "futureagi_async", "tests/typing", "noxfile.py")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session(python=interpreters())
def tests(session: nox.Session) -> None:
    """Run all tests, the slow ones too, on the built wheel and on each Python."""
    install_wheel(session)
    session.run("python", "-m", "pytest", *IN_PARALLEL, *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """Run all tests with the oldest dependencies that are allowed."""
    install_wheel(session, "-c", "tests/oldest.txt")
    session.run("python", "-m", "pytest", *IN_PARALLEL, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Check that the tests run every line and branch of the package."""
    session.install("-e", ".[cli]", *dependencies("tests"))
    session.run("coverage", "erase")
    session.run("python", *COVERED, *session.posargs)
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the package beside its alternatives, in one run."""
    session.install("-e", ".", "-r", "benchmarks/requirements.txt")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def guard(session: nox.Session) -> None:
    """Compare the cost of a request, an item and a config with a stored baseline."""
    # Pinned, so that a figure changes with the package and with nothing else.
    session.install("-r", "benchmarks/guard.txt")
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "benchmarks.guard", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill a batch with a journal a thousand times; this takes some minutes."""
    session.install("-e", ".[cli]", *dependencies("tests"))
    environment = {"FUTUREAGI_TEST_KILLS": "1000"}
    session.run(
        "python",
        "-m",
        "pytest",
        "tests/proof/test_killed_batch.py",
        *session.posargs,
        env=environment,
    )


@nox.session
def proof(session: nox.Session) -> None:
    """Evaluate at full size: with faults, with kills, and as a stream; this takes long."""
    session.install("-e", ".[cli]", *dependencies("tests"))
    environment = {
        "FUTUREAGI_TEST_RUN_TESTS": "1000",
        "FUTUREAGI_TEST_KILLS": "200",
        "FUTUREAGI_TEST_STREAMED": "100000",
        "FUTUREAGI_TEST_LIVES": "200",
    }
    session.run(
        "python", "-m", "pytest", "tests/proof", *session.posargs, env=environment
    )
