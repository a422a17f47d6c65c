"""What a program under test finds around it: the world as a file, a folder of its own, and a way to its providers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import SubjectError
from harness.subjects.children import Child
from harness.subjects.gateway import Gateway
from harness.subjects.task import Task

__all__ = ["Surroundings"]


class Surroundings:
    """Those of one trial, until they are closed. To be made in the trial's context, with the task of its first turn."""

    def __init__(self, task: Task, base_urls: Mapping[str, str], allowed_hosts: tuple[str, ...]) -> None:
        self._task = task
        self._direct = ",".join(("localhost", "127.0.0.1", "::1", *allowed_hosts))
        self._folder = Path(tempfile.mkdtemp(prefix="harness-"))
        self._memory = self._folder / "memory"
        self._memory.mkdir()
        self._world = self._folder / "world.json"
        self._world.write_text(
            json.dumps(task.world.state, ensure_ascii=False, indent=2), encoding="utf-8", newline="\n"
        )
        self._gateway = Gateway(base_urls)

    def environ(self, turn: int) -> dict[str, str]:
        """The environment of a program that is started for a user turn, from 1."""
        return {
            **os.environ,
            **self._gateway.variables,
            "NO_PROXY": self._direct,
            "no_proxy": self._direct,
            "HARNESS_MEMORY": str(self._memory),
            "HARNESS_NOW": datetime.now(UTC).isoformat(timespec="seconds"),
            "HARNESS_RUN_ID": self._task.run_id,
            "HARNESS_SETTINGS": json.dumps(self._task.settings, ensure_ascii=False),
            "HARNESS_TURN": str(turn),
            "HARNESS_WORLD": str(self._world),
        }

    def read_world(self) -> None:
        """Take over what the program made of the world. Raises :class:`SubjectError` where that is no JSON object."""
        try:
            state = json.loads(self._world.read_bytes())
        except OSError as error:
            raise SubjectError(
                f"the world can't be read back: {error.strerror}; leave the file HARNESS_WORLD"
            ) from error
        except (ValueError, RecursionError) as error:
            raise SubjectError(f"HARNESS_WORLD holds no JSON any more: {error}") from error
        if not isinstance(state, dict):
            raise SubjectError(f"HARNESS_WORLD holds a {type(state).__name__} where a JSON object was; keep the object")
        self._task.world.state = state

    def failure(self, what: str, child: Child) -> SubjectError:
        """The error that says what happened, with the program's last words; without what differs from run to run."""
        said = child.last_words
        for found, shown in ((self._gateway.address, "GATEWAY"), (str(self._folder), "FOLDER")):
            said = said.replace(found, shown)
        return SubjectError(f"{what}; its last words:\n{said}" if said else f"{what}, without a word on stderr")

    def close(self) -> None:
        """Leave nothing behind."""
        self._gateway.close()
        shutil.rmtree(self._folder, ignore_errors=True)
