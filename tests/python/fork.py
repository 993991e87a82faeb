# SPDX-License-Identifier: Apache-2.0
"""fork.py PROGRAM FD: runs a console script of Python many times, each in a fork of a process that has done its imports.

`compare.py` starts it and talks to it over the socket `FD`. A request is a line of JSON, sent with two file descriptors for the
output. The responses are two lines: the process id and, when the process has ended, its exit code. The imports are those that the
console script does first, so a load test finds the interpreter as it always does.
"""

import importlib
import json
import os
import re
import socket
import sys
import types


def main():
    program, descriptor = sys.argv[1:]
    with open(program, encoding="utf-8") as file:
        text = file.read()
    sys.path[0] = os.path.dirname(program)
    importlib.import_module(re.search(r"^from (\S+) import ", text, re.M)[1])
    server = socket.socket(fileno=int(descriptor))
    while True:
        line, outputs = b"", []
        while not line.endswith(b"\n"):
            part, descriptors, _, _ = socket.recv_fds(server, 1 << 16, 2)
            if not part:
                return None
            line += part
            outputs += descriptors
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            server.close()
            prepare(program, request, outputs)
            return text
        for output in outputs:
            os.close(output)
        server.sendall(b"%d\n" % child)
        server.sendall(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def prepare(program, request, outputs):
    os.setsid()
    for output, standard in zip(outputs, (1, 2)):
        os.dup2(output, standard)
        os.close(output)
    os.chdir(request["directory"])
    for name in os.environ.keys() - request["environment"].keys():
        del os.environ[name]
    os.environ.update(request["environment"])
    sys.argv = [program, *request["arguments"]]
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.__file__ = program


if __name__ == "__main__":
    script = main()
    if script is not None:
        exec(compile(script, sys.argv[0], "exec"), vars(sys.modules["__main__"]))
