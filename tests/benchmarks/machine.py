"""
Where it was measured, in a line.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine() -> str:
    """System, processors, and versions of what takes part."""
    parts = [f"{platform.system()} {platform.release()}", f"{os.cpu_count()} x {_processor()}"]
    parts.append(f"Python {platform.python_version()}")
    for name in ("Twisted", "libtorrent"):
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(parts)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    line = text.partition("model name")[2].partition("\n")[0]
    return line.strip("\t :") or platform.machine()
