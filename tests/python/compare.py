#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every script in `cases/` with two molotov commands, and prints the differences.

See README.md beside this file. Standard library only, Python 3.10 or later.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import difflib
import fnmatch
import hashlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = HERE / "cases"
TIMEOUT = 30
DEFAULT_ARGS = "--single-run -c"
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", "NO_COLOR": "1", "COLUMNS": "200"}

# Intended differences: case -> (the parts that may differ, the reason). Parts: requests, seen, totals, exit.
EXPECTED = {
    "fail_setup": ({"exit", "totals"}, "a failed setup exits 1 (the original: 0)"),
    "fail_setup_one_worker": ({"exit"}, "a failed setup exits 1 (the original: 0)"),
    "fail_setup_session": ({"exit", "totals"}, "a failed setup_session exits 1 (the original: 0)"),
    "fail_setup_not_dict": ({"exit", "totals"}, "a failed setup exits 1 (the original: 0)"),
    "setup_unknown_option": ({"exit", "totals"}, "a session that cannot be made exits 1 (the original: 0)"),
    "option_duration_zero": ({"seen", "totals"}, "-d 0 is one scenario (the original: as many as fit into the second)"),
    "option_force_shutdown": ({"seen", "totals"}, "a running scenario is really cut (the original waits for its end)"),
    "util_json_request_json": ({"seen", "requests"}, "json_request takes json= (the original: TypeError)"),
    # Runs that continue, where the original's worker dies silently.
    "fail_cancelled_error": ({"seen", "totals"}, "a CancelledError is a failure like any other (the original: the worker dies)"),
    "fail_cancelled_task": ({"seen", "totals"}, "a cancelled scenario is a failure; the worker continues (the original: it dies)"),
    "fail_cancelled_child": ({"seen", "totals"}, "a cancelled scenario is a failure; the worker continues (the original: it dies)"),
    "fail_exit_in_scenario": ({"totals", "exit"}, "sys.exit() in a scenario is a failure of it (the original: no totals)"),
    "fail_interrupt_in_scenario": ({"seen", "totals"}, "a KeyboardInterrupt that is raised is a failure (the original: the end)"),
    "picker_failing": ({"seen", "totals"}, "a picker that fails is counted (the original: the worker dies)"),
    "fail_global_setup": ({"totals"}, "there are always totals (the original: none)"),
    "fail_exit_in_global_setup": ({"totals"}, "there are always totals (the original: none)"),
    "fail_exit_in_global_teardown": ({"totals"}, "there are always totals (the original: none)"),
    # Differences between HTTP clients.
    "content_chunks": ({"seen"}, "parts of a body that came together are one part"),
    "error_invalid_url": ({"seen"}, "a scheme that is not HTTP is refused as a URL, without a try to connect"),
    "headers_request": ({"seen", "requests"}, "a GET without a body sends no Content-Length, whatever its headers say"),
    "redirect_headers": ({"seen", "requests"}, "another host does not get cookies that were written for the first"),
    "redirect_odd": ({"seen", "requests"}, "redirects to what is no HTTP URL are TooManyRedirects; blanks in them become %20"),
    "response_unread_after": ({"seen"}, "an empty body that was never read: aiohttp's two parsers differ, and we are like the faster"),
    "events_body_sent": ({"seen"}, "request.body is bytes, or None"),
    "events_request": ({"seen"}, "headers that frame the body, and the fragment, are not told"),
    "events_session_kind": ({"seen"}, "the session of an event is the scenario's own"),
    "script_sys_modules": ({"seen"}, "the script can be pickled (the original: PicklingError)"),
    "signal_interrupt_global_setup": (
        {"seen", "totals", "exit"},
        "exit code 130 after the totals (the original: killed by its own SIGINT, at times before it has printed)",
    ),
}


class Servers:
    """A process of `server.py` that forks a server for each run."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, str(HERE / "server.py"), "--fork"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def start(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        lines = [self.process.stdout.readline().strip() for _ in range(3)]
        if not all(line.isdigit() for line in lines):
            raise RuntimeError("the server did not start")
        return Server(*map(int, lines))


class Server:
    """A forked server, with its ports."""

    def __init__(self, process, port, secure_port):
        self.process, self.port, self.secure_port = process, port, secure_port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.process, signal.SIGKILL)

    def log(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/__log")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class Started:
    """A command that is started for each run."""

    def __init__(self, command):
        self.words = words_of(command)

    def run(self, arguments, environment):
        process = subprocess.Popen(
            self.words + arguments, cwd=CASES, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        return finish(process.pid, (process.stdout, process.stderr), process.wait)


class Forked:
    """A console script of Python, which `fork.py` forks for each run."""

    def __init__(self, program):
        ours, its = socket.socketpair()
        python = program.read_text().partition("\n")[0].removeprefix("#!").strip()
        with its:
            subprocess.Popen([python, HERE / "fork.py", program, str(its.fileno())], env={**os.environ, **ENVIRONMENT},
                             stdin=subprocess.DEVNULL, pass_fds=[its.fileno()])
        self.socket, self.answers = ours, ours.makefile()

    def run(self, arguments, environment):
        pipes = [os.pipe() for _ in range(2)]
        request = {"arguments": arguments, "directory": str(CASES), "environment": environment}
        socket.send_fds(self.socket, [json.dumps(request).encode() + b"\n"], [end for _, end in pipes])
        for _, end in pipes:
            os.close(end)
        process = int(self.answers.readline())
        return finish(process, [open(end, "rb") for end, _ in pipes], lambda: int(self.answers.readline()))


def command_of(command):
    """Returns the runner of a command. Console scripts of Python are forked, because imports take most of their time."""
    words = words_of(command)
    with contextlib.suppress(OSError, UnicodeDecodeError, ValueError):
        program = Path(shutil.which(words[0]) or words[0])
        if len(words) == 1 and re.match(r"#!\S*/python[\d.]*\n(?:.*\n)*from \S+ import ", program.read_text()):
            return Forked(program)
    return Started(command)


def finish(process, streams, wait):
    """Returns the output of the leader of a process group, and its exit code. After 30 s, the group is killed."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reading = [pool.submit(stream.read) for stream in streams]
        late = concurrent.futures.wait(reading, TIMEOUT).not_done
        if late:
            os.killpg(process, signal.SIGKILL)
        out, err = [read.result() for read in reading]
    for stream in streams:
        stream.close()
    code = wait()
    return out, err, "none: killed after %d s" % TIMEOUT if late else str(code)


def directives(path):
    """Returns the `# key: value` lines at the top of a case."""
    found = {"args": DEFAULT_ARGS}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        match = re.match(r"#\s*(args|unordered):\s*(.*)", line)
        if match:
            found[match[1]] = match[2].strip()
    return found


def clean(text):
    """Removes what differs from run to run."""
    text = re.sub(r"(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1\])(:|', ?|\", ?)\d{2,5}\b", r"\1\2<port>", text)
    text = re.sub(r"\b0x[0-9a-fA-F]{4,}", "0x<address>", text)
    text = re.sub(r"boundary=\"?[-\w'()+,./:=?]+\"?", "boundary=<boundary>", text)
    return text


def clean_request(entry):
    body = base64.b64decode(entry["body"]).decode("latin-1")
    headers = []
    boundary = None
    for name, value in entry["headers"]:
        if name.lower() == "content-type":
            match = re.search(r"boundary=\"?([^\";]+)\"?", value)
            boundary = match and match[1]
    for name, value in entry["headers"]:
        name = name.lower()
        if name == "user-agent":
            continue
        if name == "accept-encoding" or name == "sec-websocket-key":
            value = "<any>"
        if name == "content-length" and boundary:
            value = "<any>"
        headers.append("    %s: %s" % (name, clean(value)))
    if boundary:
        body = body.replace(boundary, "<boundary>")
    lines = ["%s %s" % (entry["method"], clean(entry["target"]))]
    lines += sorted(headers)
    lines.append("    body %d %r" % (len(body), clean(body) if len(body) < 4000 else hash_of(body)))
    return lines


def hash_of(text):
    return hashlib.sha256(text.encode("latin-1")).hexdigest()


def words_of(command):
    """Returns the words of a command, with an absolute path, because each run has its own working directory."""
    words = shlex.split(command)
    if os.sep in words[0]:
        words[0] = os.path.abspath(words[0])
    return words


def run_once(command, path, servers):
    """Runs one case with one command. Returns its parts and the raw output."""
    options = directives(path)
    text = options["args"].replace("{cases}", str(CASES))
    arguments = shlex.split(text)
    if "{none}" in arguments:
        arguments.remove("{none}")
    elif "{script}" in arguments:
        arguments[arguments.index("{script}")] = str(path)
    else:
        arguments.append(str(path))
    with servers.start() as server:
        environment = {**os.environ, **ENVIRONMENT, "TARGET": "http://127.0.0.1:%d" % server.port,
                       "TARGET_TLS": "https://127.0.0.1:%d" % server.secure_port}
        started = time.monotonic()
        out, err, code = command.run(arguments, environment)
        took = time.monotonic() - started
        log = server.log()
    out = out.decode("utf-8", "replace")
    err = err.decode("utf-8", "replace")
    unordered = options.get("unordered", "").split()
    requests = [clean_request(entry) for entry in log]
    if "requests" in unordered:
        requests.sort()
    # Source lines in tracebacks are not observations. Printed lines have no prefix.
    seen = [clean(match[1]).rstrip() for match in re.finditer(r"(?m)^(SEEN .*)$", out)]
    if "seen" in unordered:
        seen.sort()
    totals = re.findall(r"SUCCESSES: \d+ \| FAILURES: \d+", out)
    parts = {
        "requests": [line for request in requests for line in request],
        "seen": seen,
        "totals": totals,
        "exit": [code],
    }
    return parts, out, err, took


# How often the original runs before a case counts as different. On a busy machine it loses lines or is killed.
ATTEMPTS = 3


# Each thread that runs cases has its own server and commands.
KEPT = threading.local()


def prepare(options):
    KEPT.servers, KEPT.ours, KEPT.original = Servers(), Started(options.ours), command_of(options.original)


def compare(path):
    """Returns the differing parts of one case, each with a diff. Our run must equal one of the original's runs."""
    allowed, _ = EXPECTED.get(path.stem, (set(), ""))
    right, right_out, right_err, right_took = run_once(KEPT.ours, path, KEPT.servers)
    for _ in range(ATTEMPTS):
        left, left_out, left_err, left_took = run_once(KEPT.original, path, KEPT.servers)
        differing = {}
        for part in left:
            if left[part] != right[part]:
                diff = difflib.unified_diff(left[part], right[part], "original", "ours", lineterm="", n=2)
                differing[part] = ["    " + line for line in diff]
        if differing.keys() <= allowed:
            break
    raw = {"original": (left_out, left_err, left_took), "ours": (right_out, right_err, right_took)}
    return differing, left, raw


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", default="molotov", help="the command under test (default: molotov)")
    parser.add_argument("--original", default="molotov", help="the command to compare with (default: molotov)")
    parser.add_argument("--only", metavar="PATTERN", help="cases whose name matches this pattern (* and ?), or contains it")
    parser.add_argument("--jobs", type=int, default=4, help="how many cases run at a time (default: 4)")
    parser.add_argument("--list", action="store_true", help="list the cases, and exit")
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="print the observations of every case, and the raw output of those that differ")
    options = parser.parse_args()

    paths = sorted(CASES.glob("*.py"))
    if options.only:
        wanted = options.only
        paths = [p for p in paths if fnmatch.fnmatch(p.stem, wanted) or wanted in p.stem]
    if options.list:
        for path in paths:
            print(path.stem)
        return 0
    if not paths:
        print("no case matches %r" % options.only, file=sys.stderr)
        return 2

    differ = known = 0
    lock = threading.Lock()
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs), initializer=prepare, initargs=[options]) as pool:
        jobs = [(path, pool.submit(compare, path)) for path in paths]
        for path, job in jobs:
            name = path.stem
            try:
                differing, left, raw = job.result()
            except Exception as error:  # the harness itself: a command that cannot be run, ...
                differing, left, raw = {"harness": ["    %s: %s" % (type(error).__name__, error)]}, {}, {}
            allowed, reason = EXPECTED.get(name, (set(), ""))
            unknown = {part: diff for part, diff in differing.items() if part not in allowed}
            with lock:
                if unknown:
                    differ += 1
                    print("DIFFER %s: %s" % (name, ", ".join(unknown)))
                    for part, diff in unknown.items():
                        print("  %s" % part)
                        print("\n".join(diff))
                    if options.verbose:
                        for side, (out, err, _) in raw.items():
                            for stream, text in (("stdout", out), ("stderr", err)):
                                for line in text.splitlines():
                                    print("    [%s %s] %s" % (side, stream, line))
                elif differing:
                    known += 1
                    print("known  %s: %s" % (name, reason))
                elif options.verbose:
                    took = " ".join("%s %.1f s" % (side, seconds) for side, (_, _, seconds) in raw.items())
                    print("same   %s (%s)" % (name, took))
                    for part in ("requests", "seen", "totals", "exit"):
                        for line in left[part]:
                            print("    %-8s | %s" % (part, line))
                sys.stdout.flush()
    if known:
        print("%d intended differences" % known)
    print("%d cases, %d differ" % (len(paths), differ))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
