# SPDX-License-Identifier: MIT
"""A demo world behind a wire to the real kernel, in namespaces that the test makes itself.

Where a machine allows no such wire the tests are skipped with the reason; with
WSKSTACK_NO_SKIP=1 in the environment (continuous integration) that is a failure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from stack import Config
from tap.impair import Impairment
from tap.ladder import Attachment, Refused, Wish, attach
from tools.world import DemoWorld

ROOT = Path(__file__).resolve().parent.parent.parent


def impossible(why: str) -> NoReturn:
    """This machine cannot do it: skip, or fail where nothing may be skipped."""
    if os.environ.get("WSKSTACK_NO_SKIP"):
        pytest.fail(f"nothing may be skipped here, but: {why}")
    pytest.skip(why)


def attached(wire: str = "userns", **wish: Any) -> Attachment:
    """A wire to the kernel, if this machine can."""
    try:
        return attach(Wish(wire=wire, **wish))
    except Refused as why:
        impossible(f"--wire {wire}: {why}")


def in_namespaces(*words: str, patience: float) -> subprocess.CompletedProcess[str]:
    """A command of ours, ended, in namespaces made for it (`inside`)."""
    return subprocess.run(
        [sys.executable, "-m", "tests.kernel.inside", *words],
        capture_output=True,
        text=True,
        timeout=patience,
        cwd=ROOT,
        check=False,
    )


def bench(
    tmp_path: Path, *arguments: str, patience: float
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """`tools/bench`, ended, and where it has left its record."""
    figures = tmp_path / "figures.json"
    words = [sys.executable, "-m", "tools.bench", *arguments, "--json", str(figures)]
    result = in_namespaces(*words, patience=patience)
    if result.returncode == 2:
        impossible(result.stderr)
    return result, figures


def begin(pid: int, deed: str, **arguments: Any) -> subprocess.Popen[str]:
    """Start a deed (`client`) in the namespaces of `pid`."""
    words = [sys.executable, "-m", "tests.kernel.client", str(pid), deed, json.dumps(arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def finish(process: subprocess.Popen[str], patience: float) -> dict[str, Any]:
    """Wait for its result."""
    try:
        out, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 0
    result: dict[str, Any] = json.loads(out)
    return result


class KernelWorld(DemoWorld):
    """The demo, and a client on the kernel's side."""

    def run(self, deed: str, **arguments: Any) -> dict[str, Any]:
        """Let the kernel's side do something (`client`) and wait for it."""
        return self.finish(self.begin(deed, **arguments))

    def begin(self, deed: str, **arguments: Any) -> subprocess.Popen[str]:
        """Start it."""
        return begin(self.attachment.pid, deed, **arguments)

    @staticmethod
    def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
        """Its result."""
        return finish(process, 60)

    def addresses(self) -> list[str]:
        """The stack's, one per family."""
        return [host("", 0)[0] for _, host in self.hosts()]

    def inside(self, work: Any) -> Any:
        """Call `work` on the stack's thread."""
        box: list[Any] = []
        self.runtime.submit(lambda: box.append(work()))
        assert self.runtime.wait(lambda: bool(box), 5 * 10**9)
        return box[0]


def bring_up(
    wire: str, config: Config | None = None, impairment: Impairment | None = None
) -> KernelWorld:
    attachment = attached(wire, offload=impairment is None)
    world = KernelWorld(attachment, config=config, impairment=impairment, seed=1)
    world.start()
    return world


@pytest.fixture(scope="module", params=["userns", "veth"])
def kernel(request: pytest.FixtureRequest) -> Iterator[KernelWorld]:
    """A TAP, and a packet socket on a veth pair."""
    world = bring_up(request.param)
    yield world
    world.stop()


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def address(request: pytest.FixtureRequest, kernel: KernelWorld) -> str:
    """The stack's address."""
    index: int = request.param
    return kernel.addresses()[index]
