"""The fixtures of Tests/Integration, and a client of the server under test."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]
INTEGRATION = ROOT / "Tests" / "Integration"
sys.path[:0] = [str(PACKAGE), str(INTEGRATION)]

import gcs  # noqa: E402
import programs  # noqa: E402

# By its path: this file has the name "conftest" as well.
_spec = importlib.util.spec_from_file_location("integration_fixtures", INTEGRATION / "conftest.py")
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)
pytest_runtest_makereport = _fixtures.pytest_runtest_makereport
start, server, store = _fixtures.start, _fixtures.server, _fixtures.store


@pytest.fixture
def connected(server):
    """The default connection of this process, to a server without a store."""
    yield gcs.connect(server.address)
    gcs.disconnect()


@pytest.fixture
def cluster(server, store, start):
    """A server, a store (ours, then Arrow's) and their node manager, and the default connection."""
    start(programs.Node, server, store)
    yield gcs.connect(server.address)
    gcs.disconnect()


@pytest.fixture
def script(server):
    """Starts a Python program that finds the package and the server: `script(path, *args)`."""
    started = []

    def start_one(*args, **options):
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "GCS_ADDRESS": server.address}
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", *map(str, args)], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            **options)
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(params=["ours", "arrow"])
def plasma_store(request, start):
    """An object store: ours, then Arrow's where it is installed."""
    if request.param == "arrow" and importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow 11, which has Arrow's store, is not installed")
    return start(programs.Store, arrow=request.param == "arrow")


@pytest.fixture
def client(plasma_store):
    """A client of `plasma_store`."""
    from gcs import plasma

    with plasma.connect(plasma_store.socket) as found:
        yield found


@pytest.fixture
def second(plasma_store):
    """Another client of `plasma_store`."""
    from gcs import plasma

    with plasma.connect(plasma_store.socket) as found:
        yield found
