#!/usr/bin/env python3
"""examples.py --molotov CMD --target CMD: runs every script of `examples/python`, and compares its totals with the
counts of the target server. Prints a line for each, and exits with 1 if any differs."""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import urllib.request

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "python"


def same_as_report(served, report):
    """Compares the counts of the shop, such as `GET /shop/search 200`, with the report of the run."""
    measured = {}
    for row in report["requests"]:
        if row["protocol"] == "HTTP":
            for status, count in row["statuses"].items():
                name = "%s %s" % (row["name"].replace("checkout / ", ""), status)
                measured[name] = measured.get(name, 0) + count
    rows = {row["name"]: row for table in ("requests", "checks") for row in report[table]}
    measured["lines"] = rows["LINE stock"]["ok"]
    measured["GET /shop/live 101"] = rows["chat / WS connect /shop/live"]["ok"]
    measured["messages"] = rows["echoes"]["passed"]
    measured["events"] = 3 * rows["is sent"]["passed"]
    return served == measured


def same_messages(served, report):
    """Compares the counts of connections and messages with the report of the run."""
    rows = {row["name"]: row for table in ("requests", "counters") for row in report[table]}
    connections = {rows[name]["ok"] for name in ("WS connect chat", "WS say hello", "WS close chat")}
    messages = {rows["WS chat sent"]["count"], rows["WS chat received"]["count"]}
    return connections == {served["/chat"]} and messages == {served["messages"]} == {6 * served["/chat"]}


# Arguments, totals, and the expected counts of the server. The default is two workers with three runs each.
# A script that runs twice has options in its name.
EXPECTED = {
    "quickstart.py": ("quickstart.py", (6, 0), {"/": 6}),
    "fixtures.py": ("fixtures.py", (6, 0), {"/headers": 6}),
    "attach.py": ("attach.py", (6, 0), {"/login": 2, "/me": 6}),
    "picker.py": ("picker.py", (6, 0), {"/": 2, "/users/7": 2, "/cart": 2}),
    "events.py": ("events.py", (6, 0), {"/": 6}),
    "average_time.py": ("--use-extension average_time.py quickstart.py", (6, 0), {"/": 6}),
    # The first response is too slow, and ends the run. Each worker has sent its first request by then.
    "stop_when_slow.py": ("--use-extension stop_when_slow.py slow.py", (2, 0), {"/slow": 2}),
    "concurrency.py": ("concurrency.py", (6, 0), {"/": 6, "/users/7": 6, "/slow": 6}),
    "json_lines.py": ("json_lines.py", (4, 2), {"/flaky": 6}),
    "variables.py": ("variables.py", (6, 0), None),
    "before_the_run.py": ("before_the_run.py", (6, 0), {"/login": 1, "/": 1, "/me": 6}),
    "chat_completions.py": ("chat_completions.py", (6, 0), {"/v1/chat/completions": 6}),
    # The five orders run out.
    "data.py": ("data.py", (5, 0), {"POST /shop/login 200": 2, "/cart": 5}),
    "slow.py": ("slow.py", (6, 0), {"/slow": 6}),
    "rate.py": ("--config rate.json steady", (170, 0), {"/freezing": 150, "/": 20}),
    "lines.py": ("lines.py", (6, 0), {"lines": 6}),
    "websocket.py": ("--host HOST websocket.py", (6, 0), same_messages),
    "websocket.py -p 2": ("--host HOST -p 2 websocket.py", (12, 0), same_messages),
    "websocket.py --rate": ("--host HOST --rate 20/s -d 0.5 websocket.py", (10, 0), same_messages),
    # With this seed, both scenarios run.
    "storefront.py": ("--host HOST --seed 1 storefront.py", (6, 0), same_as_report),
    "session_kinds.py": ("session_kinds.py", (6, 0), {"lines": 6}),
}


def counts(url):
    with urllib.request.urlopen(url + "/__counts") as answer:
        return json.load(answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--molotov", default="molotov")
    parser.add_argument("--target", default="target-server")
    options = parser.parse_args()
    command = [part if os.sep not in part else os.path.abspath(part) for part in shlex.split(options.molotov)]
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    listed = {name.split()[0] for name in EXPECTED}
    if scripts != listed:
        sys.exit("the table and the folder differ: %s" % sorted(scripts ^ listed))
    server = subprocess.Popen([options.target, "127.0.0.1:0", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    bad = 0
    try:
        addresses = dict(server.stdout.readline().split() for _ in range(2))
        url = "http://" + addresses["http"]
        with tempfile.TemporaryDirectory() as directory:
            lines = os.path.join(directory, "lines")
            environment = {**os.environ, "MOLOTOV_TARGET": url, "MOLOTOV_LINES": addresses["lines"], "LINES": lines}
            # aiohttp's sessions, and so those of scripts, keep no cookies of servers without a name.
            host = "http://localhost:" + addresses["http"].rpartition(":")[2]
            written = os.path.join(directory, "report.json")
            for name, (arguments, (good, failed), expected) in EXPECTED.items():
                arguments = arguments.replace("HOST", host)
                # A rate replaces the runs of workers.
                load = [] if "rate" in name else ["-w", "2", "-r", "3"]
                before = counts(url)
                told = subprocess.run([*command, "-c", "--report", written, *load, *arguments.split()], cwd=EXAMPLES, text=True,
                                      env=environment, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                served = {path: count - before.get(path, 0) for path, count in counts(url).items()}
                served = {path: count for path, count in served.items() if count}
                totals = "SUCCESSES: %d | FAILURES: %d" % (good, failed)
                fine = told.returncode == 0 and totals in told.stdout
                if callable(expected):
                    with open(written) as report:
                        fine = fine and expected(served, json.load(report))
                else:
                    fine = fine and (served == expected if expected is not None else sum(served.values()) == good)
                print("%-6s %s" % ("ok" if fine else "WRONG", name), flush=True)
                if not fine:
                    bad += 1
                    print("exit code %d, the server counted %r\n%s" % (told.returncode, served, told.stdout))
            with open(lines) as told:
                if len([json.loads(line) for line in told]) != 6:
                    bad += 1
                    print("WRONG  json_lines.py has not written six lines")
    finally:
        server.kill()
        server.wait()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
