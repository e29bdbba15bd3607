"""Where the models of this machine lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def models_folder() -> Path:
    """Return the folder of the models: NZIP_MODELS, else NZIP_HOME/models, else the platform's place for caches."""
    if os.environ.get("NZIP_MODELS"):
        return Path(os.environ["NZIP_MODELS"]).absolute()
    if os.environ.get("NZIP_HOME"):
        return Path(os.environ["NZIP_HOME"]).absolute() / "models"
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base.absolute() / "nzip" / "models"
