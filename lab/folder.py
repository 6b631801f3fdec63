# SPDX-License-Identifier: Apache-2.0
"""The run folder of a rehearsal cloud: where everything of one boot lies.

One folder is one lab. It carries a mark, and a folder that has something in
it but no mark is never touched.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
from typing import Any

from lab import exceptions

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
MARK = '.lab-run'
PARTS = ('db', 'etc', 'files', 'log', 'processes', 'state')


class Folder:
    """Paths and small files below ``path``."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path).resolve()
        self.clouds = self.path / 'clouds.yaml'
        self.ready = self.path / 'ready'
        self.starts = self.path / 'starts'

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name

    def create(self) -> None:
        """Make the folder and its parts, marked as ours."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self / MARK).touch()
        for part in PARTS:
            (self / part).mkdir(exist_ok=True)

    def empty(self) -> None:
        """Remove what an earlier boot left, except the mark."""
        for entry in self.path.iterdir():
            if entry.name == MARK:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other `up` and `down` out; a killed holder holds nothing.

        :raises: :class:`lab.exceptions.LabError` when it is held, or when
            the folder has other things in it.
        """
        if not (self / MARK).exists():
            if self.path.is_dir() and any(self.path.iterdir()):
                raise exceptions.LabError(
                    f'{self.path} is not a run folder of the lab and is not '
                    'empty: name another one with LAB_RUN.'
                )
            self.path.mkdir(parents=True, exist_ok=True)
        with open(self / MARK, 'a') as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise exceptions.LabError(
                    f'Another `up` or `down` is at work in {self.path}: '
                    'wait for it to end.'
                ) from error
            yield

    def log(self, name: str) -> pathlib.Path:
        """Return the path of the log of the process ``name``."""
        return self / 'log' / f'{name}.log'

    def read(self, name: str) -> Any:
        """Return the JSON value in the file ``name``.

        :raises: :class:`lab.exceptions.LabError` when there is no lab.
        """
        try:
            return json.loads((self / name).read_text())
        except FileNotFoundError as error:
            raise exceptions.LabError(
                f'There is no lab in {self.path}: start one with `up`.'
            ) from error

    def write(self, name: str, value: Any) -> None:
        """Replace the file ``name`` by a JSON value, at one stroke."""
        text = json.dumps(value, indent=1) + '\n'
        replace(self / name, text)


def replace(path: pathlib.Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new."""
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    temporary.write_text(text)
    temporary.replace(path)


def current() -> Folder:
    """Return the folder that the environment names, or the usual one."""
    return Folder(os.environ.get('LAB_RUN') or CHECKOUT / 'lab' / 'run')
