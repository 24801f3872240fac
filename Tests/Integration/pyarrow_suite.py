"""Runs pyarrow's own tests of Plasma, from its wheel, against Arrow's store and against ours.

As a program it prints what became of each test on both, and ends with 1 when one that passes on
Arrow's does not on ours.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

# Loaded as a plugin of pytest: starts another store where pyarrow starts its own.
REPLACE = '''
import os, subprocess

class Popen(subprocess.Popen):
    def __init__(self, command, *rest, **options):
        if isinstance(command, list) and command[0].endswith("plasma-store-server"):
            command = [os.environ["GCS_STORE"], *command[1:]]
        super().__init__(command, *rest, **options)

subprocess.Popen = Popen
'''


def run(directory, store=None, seconds=600):
    """What became of each test: `passed`, `failed`, `skipped` ...; and what pytest printed.

    `store` is the program to put in place of Arrow's.
    """
    import pyarrow

    directory = pathlib.Path(directory)
    tests = pathlib.Path(pyarrow.__file__).parent / "tests" / "test_plasma.py"
    (directory / "test_plasma.py").write_text(tests.read_text())
    (directory / "replace_store.py").write_text(REPLACE)
    report = directory / "report.xml"
    # pyarrow's conftest does not load in today's pytest.
    command = [
        sys.executable, "-m", "pytest", "-q", "-rfE", "--noconftest", "-p", "no:cacheprovider",
        "-W", "ignore", f"--junit-xml={report}"]
    if store is not None:
        command += ["-p", "replace_store"]
    done = subprocess.run(
        [*command, "test_plasma.py"], cwd=directory, capture_output=True, text=True,
        timeout=seconds,
        env={**os.environ, "GCS_STORE": str(store), "PYTHONPATH": str(directory)})
    printed = done.stdout + done.stderr
    if not report.exists():
        raise AssertionError(f"pytest ended with {done.returncode} before it was done: {printed}")
    return outcomes(report), printed


def outcomes(report):
    """Outcome by test, in the order of the tests."""
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        group = case.get("classname").split(".")[-1]
        name = case.get("name")
        if group != "test_plasma":
            name = f"{group}.{name}"
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            found[name] = "failed"
        else:
            found[name] = "skipped" if "skipped" in kinds else "passed"
    return found


def main(store):
    with tempfile.TemporaryDirectory() as directory:
        arrow, _ = run(directory)
    with tempfile.TemporaryDirectory() as directory:
        ours, printed = run(directory, store)
    width = max(map(len, [*arrow, *ours]))
    print(f"{'test of pyarrow 11.0.0':{width}}  {'Arrow':8}  ours")
    for name in [*arrow, *(name for name in ours if name not in arrow)]:
        print(f"{name:{width}}  {arrow.get(name, '-'):8}  {ours.get(name, '-')}")
    counts = [sum(one == "passed" for one in each.values()) for each in (arrow, ours)]
    print(f"{'passed':{width}}  {counts[0]:<8}  {counts[1]}")
    worse = [
        name for name, outcome in arrow.items()
        if outcome == "passed" and ours.get(name) != "passed"]
    if worse or not counts[0]:
        print(printed[-8000:], file=sys.stderr)
        print(f"passes on Arrow's store and not on ours: {', '.join(worse) or 'nothing ran'}")
        return 1
    print("every test that passes on Arrow's store passes on ours")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
