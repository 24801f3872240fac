"""Fixtures: programs that end with the test, and whose logs are shown when it fails."""

import pytest

import programs


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture
def start(request, tmp_path):
    """Starts a program and ends it after the test: `start(Server)`, `start(Store, arrow=True)`."""
    started = []

    def start_one(kind, *args, **options):
        directory = tmp_path / f"{kind.__name__.lower()}{len(started)}"
        directory.mkdir()
        program = kind(directory, *args, **options)
        started.append(program)
        return program.start()

    yield start_one
    failed = getattr(request.node, "report_call", None)
    for program in reversed(started):
        program.kill()
        if failed is not None and failed.failed:
            programs.report(program)


@pytest.fixture
def server(start):
    """A gcs-server with its default settings."""
    return start(programs.Server)


@pytest.fixture(params=["ours", "arrow"])
def store(request, start):
    """An object store; the test runs with ours and with Arrow's."""
    return start(programs.Store, arrow=request.param == "arrow")
