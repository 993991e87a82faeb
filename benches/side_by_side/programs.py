"""The programs that are compared, and how each of them is asked for the same load."""
import functools, os, pathlib, platform, re, shutil, subprocess, sys, tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BODY = "x" * 1024
WRK_POST = f'wrk.method = "POST"\nwrk.body = "{BODY}"\n'
SCRIPT = """
import os
import molotov

URL = os.environ["MOLOTOV_TARGET"]


@molotov.scenario(weight=40)
async def checked(session):
    async with session.get(URL) as response:
        assert (await response.json())["result"] == "OK"
        assert response.status == 200


@molotov.scenario(weight=60)
async def status(session):
    async with session.get(URL) as response:
        assert response.status == 200
"""
LOCUSTFILE = """
import os
from locust import FastHttpUser, task

URL = os.environ["MOLOTOV_TARGET"]


class User(FastHttpUser):
    host = URL

    @task(40)
    def checked(self):
        with self.client.get(URL) as response:
            assert response.json()["result"] == "OK"
            assert response.status_code == 200

    @task(60)
    def status(self):
        with self.client.get(URL) as response:
            assert response.status_code == 200
"""
RUST, PYTHON, WRK, OHA, ORIGINAL, LOCUST = "Molotov, Rust", "Molotov, Python", "wrk", "oha", "original", "locust"
# Libraries, by the name of their crate, and the programs in `peers` that use them.
GOOSE, RLT = "goose", "rlt"
PEERS = {GOOSE: "goose-get", RLT: "rlt-get"}


class Programs:
    """The paths of the programs. What is not installed is left out, with a message."""

    def __init__(self, directory, built=None, original=None):
        self.directory = pathlib.Path(directory)
        self.built = pathlib.Path(built) if built else None
        self.found = {WRK: shutil.which("wrk"), OHA: shutil.which("oha"), LOCUST: shutil.which("locust"), ORIGINAL: original}
        for name, path in self.found.items():
            if not path:
                print(f"{name} is left out: it is not installed{' (--original COMMAND)' if name == ORIGINAL else ''}", flush=True)
        self.script, self.locustfile, self.post = (self.directory / name for name in ("loadtest.py", "locustfile.py", "post.lua"))
        for path, text in ((self.script, SCRIPT), (self.locustfile, LOCUSTFILE), (self.post, WRK_POST)):
            path.write_text(text)

    def build(self, rust=("get", "post", "download"), python=True, peers=False):
        """Builds Molotov as it is distributed, and the programs in `peers` with the same profile. With `built`, only looks for them."""
        if not self.built:
            target = pathlib.Path(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
            packages = ["-p", "molotov-benches", *(f"--bin={name}" for name in rust)] if rust else []
            for package in (packages, ["-p", "molotov-cli", "--bin=molotov"] if python else []):
                if package:
                    subprocess.check_call(["cargo", "build", "--locked", "--profile", "dist", *package], cwd=ROOT)
            if peers:
                subprocess.check_call(["cargo", "build", "--locked", "--profile", "dist", "--target-dir", str(target)], cwd=HERE / "peers")
            self.built = target / "dist"
        for name, program in PEERS.items() if peers else ():
            if (self.built / program).exists():
                self.found[name] = str(self.built / program)
            else:
                print(f"{name} is left out: {self.built} has no {program}", flush=True)

    @functools.cached_property
    def environment(self):
        """A virtual environment without packages for Molotov's scripts. Packages of the interpreter may slow its start."""
        environment = self.directory / "environment"
        subprocess.check_call([sys.executable, "-m", "venv", "--without-pip", str(environment)])
        return str(environment)

    def commands(self, row, url, certificate, seconds):
        """Returns the commands that make the load of a row, by program. `wrk` does not verify certificates."""
        # The exit code of a run with failures is 1.
        load = ["-q", "-f", "1", "-w", str(row.connections), "-d", str(seconds)]
        trusted = ["--cacert", str(certificate)] if row.tls else []
        wrk = [self.found[WRK], "-t1", f"-c{row.connections}", f"-d{seconds}s"]
        oha = [self.found[OHA], "--no-tui", *trusted, "-c", str(row.connections), "-z", f"{seconds}s"]
        if row.rust == "post":
            wrk, oha = [*wrk, "-s", str(self.post)], [*oha, "-m", "POST", "-d", BODY]
        users = ["-u", str(row.connections), "-r", str(row.connections)]
        # `goose` starts its users within 0.1 s. Its metrics of transactions and scenarios repeat those of the requests.
        goose = ["-u", str(row.connections), "-r", str(10 * row.connections), "-t", str(seconds), "-q"]
        goose += ["--no-reset-metrics", "--no-transaction-metrics", "--no-scenario-metrics", "--no-telnet"]
        commands = {
            WRK: [*wrk, url],
            RUST: [str(self.built / row.rust), *load],
            PYTHON: [str(self.built / "molotov"), *load, str(self.script)],
            OHA: [*oha, url],
            GOOSE: [self.found.get(GOOSE), *goose],
            RLT: [self.found.get(RLT), "-q", "-c", str(row.connections), "-d", f"{seconds}s"],
            ORIGINAL: [self.found[ORIGINAL], "-c", *load, str(self.script)],
            LOCUST: [self.found[LOCUST], "-f", str(self.locustfile), "--headless", "--only-summary", *users, "-t", f"{seconds}s"],
        }
        return {name: commands[name] for name in row.programs if commands[name][0]}

    def versions(self):
        """Returns the version of each program that was found. The original is Molotov for Python."""
        asked = {
            "Molotov": [str(self.built / "molotov"), "--version"],
            WRK: [self.found[WRK], "-v"],
            OHA: [self.found[OHA], "--version"],
            LOCUST: [self.found[LOCUST], "--version"],
            ORIGINAL: [self.found[ORIGINAL], "--version"],
            "nginx": [shutil.which("nginx") or "/usr/sbin/nginx", "-v"],
        }
        versions = {"Python": platform.python_version()}
        for name, command in asked.items():
            if command[0]:
                told = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
                versions[name] = re.search(r"\d+\.\d+(\.\d+)*[-\w.+]*", told)[0]
        packages = tomllib.loads((HERE / "peers/Cargo.lock").read_text())["package"]
        versions |= {package["name"]: package["version"] for package in packages if self.found.get(package["name"]) and package["name"] in PEERS}
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True, capture_output=True).stdout.strip()
        versions["Molotov"] += f" (commit {commit})" if commit else ""
        return versions
