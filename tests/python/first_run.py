#!/usr/bin/env python3
"""first_run.py --molostart PROGRAM --python PROGRAM: a new user's first script, typed into a terminal.

`molostart` asks its questions there, and what it prints is typed as it stands. Then the user forgets the service, makes
mistakes, and mends each with what the message says: nothing else is known to this test but the text of `loadtest.py`.
"""
import argparse
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import tempfile
import time

PATIENCE = 120


class User:
    """Types commands into a shell, one after the other."""

    def __init__(self, directory, python):
        self.directory = pathlib.Path(directory)
        path = os.pathsep.join([os.path.dirname(python), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        self.environment.pop("PYTHONPATH", None)
        self.background = []

    def start(self, command):
        print("$", command, flush=True)
        begun = subprocess.Popen(["bash", "-c", command], cwd=self.directory, env=self.environment, text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        self.background.append(begun)
        return begun

    def type(self, command):
        """Returns the exit code and the output."""
        if command.startswith("cd "):
            self.directory /= shlex.split(command)[1]
            return 0, ""
        begun = self.start(command)
        told = begun.communicate(timeout=PATIENCE)[0]
        print("".join("  | %s\n" % line for line in told.splitlines()[:12]), end="", flush=True)
        return begun.returncode, told

    def answer(self, program, answers):
        """Runs a program on a terminal, answers its questions, and returns what the screen showed."""
        ours, its = pty.openpty()
        begun = subprocess.Popen([program], cwd=self.directory, env=self.environment, stdin=its, stdout=its, stderr=its,
                                 start_new_session=True)
        os.close(its)
        shown, seen, deadline = "", 0, time.monotonic() + PATIENCE
        for question, answer in [*answers, (None, None)]:
            while question is None or question not in shown[seen:]:
                assert select.select([ours], [], [], max(0, deadline - time.monotonic()))[0], shown
                try:
                    part = os.read(ours, 65536).decode()
                except OSError:  # the program has ended
                    part = ""
                shown += part
                if not part:
                    assert question is None, "%r was not asked:\n%s" % (question, shown)
                    break
            if question is not None:
                seen = shown.index(question, seen) + len(question)
            if answer is not None:
                os.write(ours, (answer + "\n").encode())
        os.close(ours)
        assert begun.wait(timeout=PATIENCE) == 0, shown
        print(shown, flush=True)
        return shown.replace("\r\n", "\n")

    def stop(self):
        for begun in self.background:
            try:
                os.killpg(begun.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            begun.wait()


def found(pattern, text):
    match = re.search(pattern, text, re.M)
    assert match, "no %r in:\n%s" % (pattern, text)
    return match[1]


def expect_green(code, told):
    assert code == 0 and re.search(r"^SUCCESSES: [1-9]\d* \| FAILURES: 0$", told, re.M), (code, told)


def first_run(user, molostart):
    """Returns the command that runs the load test."""
    shown = user.answer(molostart, [
        ("Target directory [.]: ", "a shop"),
        ("Language, rust or python [python]: ", ""),
        ("Create Makefile [y]: ", "perhaps"),
        ("Please write `y` or `n`.", None),
        ("Create Makefile [y]: ", "n"),
        # The source that this wheel was installed from.
        ("Molotov, a path or git address [", ""),
    ])
    *commands, _, run = [line[4:] for line in shown.splitlines() if line.startswith("    ")]
    for command in commands:
        code, told = user.type(command)
        assert code == 0, told
    # The service is not running. The message names the command that starts it, and the run continues.
    waiting = user.start(run)
    told = ""
    for line in waiting.stdout:
        told += line
        if "Waiting for http://127.0.0.1:8080" in line:
            user.start(found("`([^`]+)`", line))
            break
    told += waiting.communicate(timeout=PATIENCE)[0]
    expect_green(waiting.returncode, told)
    return run.replace("-d 5", "-d 1")


def mistakes(user, run):
    """Fixes each mistake as its message says, and checks that it is fixed."""
    script = user.directory / "loadtest.py"
    right = text = script.read_text()

    def write(new):
        assert new != script.read_text()
        script.write_text(new)
        return new

    def line(number):
        return text.splitlines()[int(number) - 1]

    text = text.replace("async def read(session):", "async def read(session)")
    text = write(text.replace("http://127", "http//127").replace('["result"] == "OK"', '["result"] == "KO"'))

    code, told = user.type(run)
    assert code == 1, told
    wrong = line(found(r'File "[^"]*loadtest\.py", line (\d+)\n', told))
    text = write(text.replace(wrong, wrong + found(r"^SyntaxError: expected '(.)'$", told)))

    code, told = user.type(run)
    assert code == 1 and "`global_setup` failed" in told, told
    wrong = found(r"InvalidURL: (\S+) \(a colon is missing; ", told)
    text = write(text.replace(wrong, found(r"; write (\S+)\) \(at loadtest\.py:\d+\)", told)))

    code, told = user.type(run)
    assert "| FAILURES: 0" not in told, told
    wrong = line(found(r"`read` failed: AssertionError.* \(at loadtest\.py:(\d+)\)", told))
    text = write(text.replace(wrong, wrong.replace("KO", "OK")))
    assert text == right

    code, told = user.type(run + " -s raed")
    assert code == 1, told
    expect_green(*user.type(run + " -s " + found("did you mean `([^`]+)`", told)))
    expect_green(*user.type(run))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--molostart", required=True)
    parser.add_argument("--python", required=True, help="the `python3` of the user's shell")
    options = parser.parse_args()
    molostart = os.path.abspath(options.molostart)
    with tempfile.TemporaryDirectory(prefix="molotov-first-run-") as directory:
        user = User(directory, options.python)
        try:
            mistakes(user, first_run(user, molostart))
        finally:
            user.stop()
    print("every mistake was mended with what its message said")


if __name__ == "__main__":
    main()
