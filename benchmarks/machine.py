"""The processor, kernel and versions with which the figures were measured."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import re
import ssl
import subprocess
import sysconfig
from typing import Any

from benchmarks import callgrind


_PACKAGES = (
    *("futureagi-async", "aiohttp", "attrs", "cattrs", "orjson", "anyio", "uvloop"),
    *("httpx", "requests", "requests-futures", "openapi-python-client"),
    *("pydantic", "msgspec"),
)
_FOLDER = pathlib.Path(__file__).parent


def machine() -> dict[str, Any]:
    """Return a description of the machine, without its name."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load": round(os.getloadavg()[0], 1),
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages; `None`: not installed."""
    return {
        "commit": _commit(),
        platform.python_implementation(): platform.python_version(),
        "compiled with": _compiled(),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        "valgrind": _first_line("valgrind", "--version").removeprefix("valgrind-")
        if callgrind.is_installed()
        else None,
        **{package: _version(package) for package in _PACKAGES},
    }


def _cpu() -> str:
    try:
        described = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*: (.*)$", described, re.MULTILINE)
    return model[1] if model else platform.machine()


def _compiled() -> str:
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimized = "with" if "--enable-optimizations" in options else "without"
    return f"{platform.python_compiler()} {optimized} --enable-optimizations"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        return _first_line("git", "describe", "--always", "--dirty", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None


def _first_line(*command: str) -> str:
    result = subprocess.run(  # noqa: S603 - the commands above
        command, check=True, capture_output=True, text=True, cwd=_FOLDER
    )
    return result.stdout.strip()
