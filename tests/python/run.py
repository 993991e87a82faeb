#!/usr/bin/env python3
"""run.py [--quick] [--release]: runs all tests that need Python interpreters.

- the command, built with the Python that cargo finds, against the original: all cases of `compare.py`;
- the examples against the examples' target server;
- a virtual environment that is active is the one that the command uses;
- `molostart --language python` and the commands that it prints; a new user's first script (`first_run.py`), with the
  wheel's `molostart`; `moloslave` from the wheel, and as the image runs it;
- the original and the wheel in one environment;
- the members of aiohttp's classes beside those of ours (`members.py`), trace configurations (`traced.py`), the package's stubs (`typed.py`);
- the wheel, for each Python from 3.10 to 3.13 that is found, in an environment of its own: all cases again (with
  `--quick`, one script). Interpreters that are not found are listed.
"""
import argparse
import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "python"
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
# What the cases were written for, and the last that has wheels of it, or needs none.
AIOHTTP = "aiohttp==3.9.5"
# Further packages that scripts use.
BESIDE = "nest_asyncio"
ORIGINAL = "molotov==2.6"


def say(text):
    print("\n-- " + text, flush=True)


def call(*command, **options):
    print("$", " ".join(str(part) for part in command), flush=True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **options.pop("env", {})}
    subprocess.run([str(part) for part in command], check=True, env=environment, **options)


def interpreters():
    """Returns the installed Pythons with those versions, by version."""
    found = {}
    for version in VERSIONS:
        candidates = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/python3" % version)))
        named = shutil.which("python" + version)
        for candidate in candidates[::-1] + ([named] if named else []):
            code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
            told = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
            if told.stdout.strip() == version:
                found[version] = candidate
                break
    return found


def environment(python, name, *packages):
    """Makes a virtual environment with these packages. Returns the directory of its programs."""
    directory = WORK / name
    shutil.rmtree(directory, ignore_errors=True)
    call(python, "-m", "venv", directory)
    # Without its extensions, aiohttp installs on versions for which it has no wheels.
    call(directory / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages,
         env={"AIOHTTP_NO_EXTENSIONS": "1"})
    return directory / "bin"


def linked_with():
    """Returns the Python that cargo links with: `PYO3_PYTHON`, or the first `python3`."""
    python = os.environ.get("PYO3_PYTHON") or shutil.which("python3")
    code = "import sys; print(sys.executable)"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


QUICK = """
import os
import molotov


@molotov.scenario(weight=40)
async def one(session):
    async with session.get(os.environ["TARGET"]) as response:
        assert (await response.json())["result"] == "OK"


@molotov.scenario(weight=60)
async def two(session):
    import only_here
    assert only_here.known
    async with session.get(os.environ["TARGET"]) as response:
        assert response.status == 200
"""


def quick(command, packages):
    """Runs two scripts with one server. One needs a package of the environment, the other has 100 workers."""
    (packages / "only_here.py").write_text("known = True\n")
    script = WORK / "quick.py"
    script.write_text(QUICK)
    runs = {
        "SUCCESSES: 100 | FAILURES: 0": ["-w", "5", "-r", "20", script],
        "SUCCESSES: 200 | FAILURES: 0": ["-w", "100", "-r", "2", HERE / "everything.py"],
    }
    server = subprocess.Popen([sys.executable, HERE / "server.py"], stdout=subprocess.PIPE, text=True)
    try:
        url = "http://127.0.0.1:%d" % int(server.stdout.readline())
        environment = {**os.environ, "TARGET": url, "VIRTUAL_ENV": str(packages.parents[2])}
        for totals, arguments in runs.items():
            told = subprocess.run([*map(str, command), "-c", *arguments], text=True, capture_output=True, env=environment,
                                  timeout=120)
            if told.returncode != 0 or totals not in told.stdout:
                sys.exit("%s failed:\n%s%s" % (arguments[-1], told.stdout, told.stderr))
            print("%s: %s" % (arguments[-1].name, totals), flush=True)
    finally:
        server.kill()
        server.wait()


def start(molostart, source, python):
    """Runs `molostart`, and types the commands that it prints into a shell with that `python3`."""
    work = WORK / "start"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    line = [molostart, "a shop", "--language", "python", "--source", source, "--yes"]
    told = subprocess.run([str(word) for word in line], cwd=work, check=True, capture_output=True, text=True).stdout
    commands = "".join(row[4:] + "\n" for row in told.splitlines() if row.startswith("    "))
    print(commands, flush=True)
    # pip would build a checkout with optimisations, which takes minutes.
    environment = {**os.environ, "MATURIN_PEP517_ARGS": "--profile dev", "CARGO_TARGET_DIR": str(TARGET),
                   "PATH": os.pathsep.join([os.path.dirname(python), os.environ["PATH"]])}
    with open(work / "told", "w+") as output:
        shell = subprocess.Popen(["bash", "-c", "set -e\n" + commands], cwd=work, env=environment, stdout=output,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            code = shell.wait(timeout=900)
        finally:
            # The service, which runs in the background.
            os.killpg(shell.pid, signal.SIGTERM)
        output.seek(0)
        told = output.read()
    if code != 0 or not re.search(r"^SUCCESSES: [1-9]\d* \| FAILURES: 0$", told, re.M):
        sys.exit("what molostart prints ended with %s:\n%s" % (code, told))
    print(re.search("^SUCCESSES.*", told, re.M)[0], flush=True)


SLAVE = """{"molotov": {"requirements": "requirements.txt", "env": {"MESSAGE": "from env"}, "tests": {
    "good": {"scenario": "loadtest.py", "workers": 5, "max_runs": 20},
    "bad": {"scenario": "loadtest.py", "max_runs": 1, "threshold": "failures > 0"}}}}"""


def slave(moloslave, *wheels):
    """Runs the tests of a repository with the wheel's `moloslave`. The requirements are these wheels."""
    repository = WORK / "slave"
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir()
    (repository / "molotov.json").write_text(SLAVE)
    # Packages by their paths. The line that names Molotov is skipped.
    (repository / "requirements.txt").write_text("molotov\n" + "".join("%s\n" % wheel for wheel in wheels))
    (repository / "loadtest.py").write_text(QUICK.replace("import only_here", "import needed_here").replace(
        "only_here.known", "needed_here.known and os.environ['MESSAGE'] == 'from env'"))
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    for line in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message=tests"]):
        call("git", *line, cwd=repository)
    temporary = WORK / "slave-temporary"
    temporary.mkdir(exist_ok=True)
    server = subprocess.Popen([sys.executable, HERE / "server.py"], stdout=subprocess.PIPE, text=True)
    try:
        environment = {**os.environ, "TARGET": "http://127.0.0.1:%d" % int(server.stdout.readline()),
                       "TMPDIR": str(temporary)}
        for test, code, totals in (("good", 0, "SUCCESSES: 100 |"), ("bad", 1, "SUCCESSES: 1 |")):
            told = subprocess.run([str(moloslave), "file://%s" % repository, test], env=environment, text=True,
                                  capture_output=True, timeout=300)
            if told.returncode != code or totals not in told.stdout or list(temporary.iterdir()):
                sys.exit("moloslave ended with %d:\n%s%s" % (told.returncode, told.stdout, told.stderr))
            print("moloslave %s: exit code %d" % (test, code), flush=True)
    finally:
        server.kill()
        server.wait()


def small_wheel(name, files):
    """Makes a wheel with that name and these files."""
    path = WORK / ("%s-1.0-py3-none-any.whl" % name)
    information = "%s-1.0.dist-info/" % name
    files = {
        **files,
        information + "METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name,
        information + "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        information + "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def needed_here():
    return small_wheel("needed_here", {"needed_here.py": "known = True\n"})


def other_molotov():
    """Installs another distribution with the original's name, as a requirement may."""
    text = "raise RuntimeError('the other molotov')\n"
    return small_wheel("molotov", {"molotov/__init__.py": text, "molotov/run.py": text})


def side_by_side(programs, original):
    """With the original beside the wheel, our commands say that Python loads it, and how to fix that."""
    def refused(command, *said, **variables):
        told = subprocess.run([str(word) for word in command], env={**os.environ, **variables}, text=True,
                              capture_output=True, timeout=60)
        if told.returncode != 1 or told.stdout or not all(part in told.stderr for part in said):
            sys.exit("%s ended with %d:\n%s%s" % (command, told.returncode, told.stdout, told.stderr))
        print(told.stderr, end="", flush=True)
        return re.search("`([^`]* [^`]*)`[^`]*$", told.stderr)[1]

    hiding = str(packages_of(original))
    commands = [[programs / "python", "-m", "molotov"],
                *([programs / name] for name in ("molotov", "molostart", "moloslave"))]
    for command in commands:
        way_out = refused([*command, "--version"], "instead of", "remove %s from PYTHONPATH" % hiding,
                          PYTHONPATH=hiding)
    # The message names the program as typed, without its directory.
    call("bash", "-c", way_out + " --version", env={"PYTHONPATH": hiding, "PATH": "%s:/usr/bin:/bin" % programs})

    pip = [programs / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # As a wheel, because an old pip would run `setup.py`, which keeps newer files of ours.
    call(*pip, "install", "--no-deps", "--use-pep517", ORIGINAL)
    for command in commands:
        way_out = refused([*command, "--version"], "`molotov` 2.6 has overwritten the package of molotov-rs")
    call("bash", "-c", way_out)
    quick([programs / "molotov"], packages_of(programs))

    # Installing ours over the original works. Removing the original removes some of our files.
    call(*pip, "install", "--no-deps", "--use-pep517", ORIGINAL)
    call("bash", "-c", way_out.split(" && ")[1])
    call(programs / "molotov", "--version")
    call(*pip, "uninstall", "--yes", "molotov")
    check = [programs / "python", "-c", "import molotov_rs; molotov_rs.check()"]
    call("bash", "-c", refused(check, "lacks files of molotov-rs"))
    call(programs / "molotov", "--version")


def surface(molotov, env):
    """Checks the members of sessions and responses, and their tracing, with the aiohttp of that environment."""
    call(molotov, "--single-run", "-c", "-f", "1", HERE / "members.py", env=env, timeout=60)
    call(molotov, "-p", "2", "-w", "4", "-r", "2", "-c", "-f", "1", HERE / "traced.py", env=env, timeout=60)


def types(interpreter, wheel):
    """Checks the wheel's stubs and metadata, and its objects with the newest aiohttp."""
    programs = environment(interpreter, "typed", wheel, "aiohttp", "mypy")
    surface(programs / "molotov", {})
    call(programs / "python", "-m", "mypy", "--strict", HERE / "typed.py", cwd=WORK)
    call(programs / "python", "-m", "mypy.stubtest", "molotov", "--mypy-config-file", HERE / "mypy.ini", "--allowlist",
         HERE / "stubtest.txt", cwd=WORK)
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        metadata = files.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    licensed = any(name.endswith("/licenses/LICENSE") for name in names)
    if "\nLicense-Expression: Apache-2.0\n" not in metadata or not licensed or "molotov/py.typed" not in names:
        sys.exit("the wheel has no licence or no types:\n%s\n%s" % (metadata.partition("\n\n")[0], "\n".join(names)))


def packages_of(programs):
    return pathlib.Path(glob.glob(str(programs.parent / "lib/python3*/site-packages"))[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="compare with the original once only")
    parser.add_argument("--release", action="store_true", help="build with optimisations")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    profile = ["--release"] if options.release else []
    built = TARGET / ("release" if options.release else "debug")

    say("the command, built with %s" % sys.version.split()[0])
    call("cargo", "build", "--locked", *profile, "-p", "molotov-cli", cwd=ROOT)
    # With a test of the same package, the features are those that `cargo nextest run` builds with, so nothing is built twice.
    call("cargo", "build", "--locked", *profile, "--bin", "target-server", "--test", "counts", cwd=ROOT)
    command = built / "molotov"
    python = linked_with()
    original = environment(python, "original", ORIGINAL, AIOHTTP, BESIDE)
    beside = environment(python, "beside", AIOHTTP, BESIDE)
    active = {"VIRTUAL_ENV": str(beside.parent)}
    quick([command], packages_of(beside))
    call(sys.executable, HERE / "compare.py", "--ours", command, "--original", original / "molotov", env=active)
    surface(command, active)
    call(sys.executable, HERE / "examples.py", "--molotov", command, "--target", built / "target-server", env=active)

    say("molostart, with pip and this checkout")
    start(built / "molostart", ROOT, python)

    found = interpreters()
    for version in VERSIONS:
        if version not in found:
            print("not found, and so not tested: Python " + version)
    maturin = environment(python, "maturin", "maturin>=1.9,<2") / "maturin"
    for version, interpreter in found.items():
        say("the wheel for Python " + version)
        wheels = WORK / "wheels"
        shutil.rmtree(wheels, ignore_errors=True)
        call(maturin, "build", "--quiet", *(profile or ["--profile", "dev"]), "-i", interpreter, "--out", wheels, cwd=ROOT)
        wheel = next(wheels.glob("*.whl"))
        installed = environment(interpreter, "wheel-" + version, wheel, AIOHTTP, BESIDE)
        # Users start it both ways.
        quick([installed / "molotov"], packages_of(installed))
        quick([installed / "python", installed / "molotov"], packages_of(installed))
        call(installed / "python", HERE / "twice.py", timeout=60)
        call(installed / "python", HERE / "started.py", timeout=60)
        if version == next(iter(found)):
            call(sys.executable, HERE / "first_run.py", "--molostart", installed / "molostart", "--python", interpreter)
            types(interpreter, wheel)
            slave(installed / "moloslave", needed_here(), other_molotov())
            call(sys.executable, HERE / "image.py", "--programs", installed)
            side_by_side(installed, original)
        if not options.quick and interpreter != python:
            original = environment(interpreter, "original-" + version, "setuptools", ORIGINAL, AIOHTTP, BESIDE)
            call(interpreter, HERE / "compare.py", "--ours", installed / "molotov", "--original", original / "molotov")
    say("all of it is well")


if __name__ == "__main__":
    main()
