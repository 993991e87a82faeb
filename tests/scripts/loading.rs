//! Which package scripts import.

use std::{collections::BTreeSet, fs};

use super::Scripts;

#[test]
fn another_package_with_the_same_name_is_not_loaded() {
    let script = "import molotov\n\n\n@molotov.scenario()\nasync def one(session):\n    assert molotov.get_context\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let other = scripts.directory.path().join("other");
    fs::create_dir_all(other.join("molotov")).unwrap();
    for name in ["__init__.py", "run.py", "session.py"] {
        fs::write(other.join("molotov").join(name), "raise RuntimeError('the other molotov')\n").unwrap();
    }
    let program = scripts.program("-c --single-run loadtest.py").env("PYTHONPATH", other.to_str().unwrap());
    assert_eq!(program.run().exited(0).totals(), (1, 0));
}

/// These modules would take a third of the time until the script is loaded.
const RARE: &str = r#"
import os
import sys
import molotov

RARE = {
    "argparse", "array", "ast", "asyncio.sslproto", "asyncio.staggered", "fcntl", "http.cookies", "inspect", "ipaddress", "json",
    "mimetypes", "random", "signal", "ssl", "tokenize", "typing", "urllib.parse",
}


@molotov.scenario()
async def one(session):
    async with session.get(os.environ["TARGET"]) as response:
        await response.json()
    # Packages of the interpreter may import modules before.
    names = list(sys.modules)
    imported = RARE & set(names[names.index("molotov._core"):])
    assert not imported, imported
"#;

#[test]
fn modules_that_a_script_does_not_need_are_not_imported() {
    let scripts = Scripts::new(&[("loadtest.py", RARE)]);
    assert_eq!(scripts.program("-c -f 1 --single-run loadtest.py").run().exited(0).totals(), (1, 0));
}

const USED: &str = r#"
import asyncio
import os
import sys
import molotov


@molotov.scenario()
async def namespace(session):
    args = molotov.get_context(session).args
    assert "workers" in args
    assert repr(args).startswith("Args(")
    import argparse

    assert isinstance(args, argparse.Namespace) and args == argparse.Namespace(**vars(args)) and "workers" in args
    assert type(args).__mro__[1] is argparse.Namespace


@molotov.scenario()
async def used_by_asyncio(session):
    context = asyncio.base_events.ssl.create_default_context()
    import ssl

    assert asyncio.base_events.ssl is asyncio.selector_events.ssl is ssl and isinstance(context, ssl.SSLContext)
    assert context._molotov_notes.builtin_roots
    assert asyncio.iscoroutinefunction(used_by_asyncio)
    import inspect

    assert asyncio.coroutines.inspect is inspect
    assert asyncio.sslproto.SSLProtocol is sys.modules["asyncio.sslproto"].SSLProtocol
    assert ssl.__spec__.loader is ssl.__loader__ and type(ssl.__loader__) is type(inspect.__loader__)


@molotov.scenario()
async def used_by_others(session):
    import socket
    import subprocess
    import traceback

    assert socket.array.array("i", [1])[0] == 1
    assert subprocess.run(["sh", "-c", "kill -TERM $$"]).returncode == -subprocess.signal.SIGTERM
    import array
    import signal

    assert socket.array is array and subprocess.signal is asyncio.unix_events.signal is signal
    assert signal.SIGTERM is signal.Signals.SIGTERM and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    try:
        asyncio.no_such_name
    except AttributeError:
        assert "asyncio.no_such_name" in traceback.format_exc()
    import tokenize

    assert traceback.linecache.tokenize is tokenize


@molotov.scenario()
async def timeouts(session):
    if sys.version_info < (3, 11):
        return
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(20)
    except TimeoutError:
        pass
    else:
        raise AssertionError("there was time enough")
    import typing

    assert asyncio.Timeout.__final__
    assert typing.get_type_hints(asyncio.Timeout.__init__) == {"when": typing.Optional[float], "return": type(None)}
    assert typing.final.__module__ == typing.List.__module__ == typing.__spec__.name == "typing"
"#;

#[test]
fn modules_that_are_imported_late_are_those_of_the_standard_library() {
    let scripts = Scripts::new(&[("loadtest.py", USED)]);
    for scenario in ["namespace", "used_by_asyncio", "used_by_others", "timeouts"] {
        let program = scripts.program(&format!("-c -f 1 -r 1 -s {scenario} loadtest.py"));
        assert_eq!(program.run().exited(0).totals(), (1, 0));
    }
}

/// Each object can only be freed by the collector, once it is garbage.
const DROPPED: &str = r#"
import asyncio
import builtins
import collections.abc
import logging
import os
import sys
import threading
import molotov


class Noisy:
    def __init__(self, name):
        self.name, self.me = name, self
        with open("made", "a") as file:
            print(name, file=file)

    def __del__(self, open=os.open, write=os.write, flags=os.O_WRONLY | os.O_CREAT | os.O_APPEND, getpid=os.getpid):
        write(open(f"dropped.{getpid()}", flags), f"{self.name}\n".encode())


places = {
    "abstract class": collections.abc.Sequence,
    "builtins": builtins,
    "class": asyncio.Event,
    "environment": os.environ,
    "function": asyncio.sleep,
    "instance": logging.root,
    "module": asyncio,
    "sys": sys,
    "thread": threading.current_thread(),
}
for name, place in places.items():
    place.noisy = Noisy(name)
logging.root.handlers.append(Noisy("list"))
kept = Noisy("global")


@molotov.scenario()
async def one(session):
    pass


@molotov.global_teardown()
def end():
    Noisy("garbage")
"#;

#[test]
fn everything_is_dropped_when_the_interpreter_ends() {
    for processes in [1, 2] {
        let scripts = Scripts::new(&[("loadtest.py", DROPPED)]);
        let program = scripts.program(&format!("-c -p {processes} -r 1 loadtest.py"));
        assert_eq!(program.run().exited(0).totals(), (processes, 0));
        let lines = |path: &std::path::Path| {
            fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let made = lines(&scripts.directory.path().join("made"));
        let files = fs::read_dir(scripts.directory.path()).unwrap().map(|file| file.unwrap().path());
        let dropped: Vec<_> =
            files.filter(|path| path.to_str().unwrap().contains("dropped.")).map(|path| lines(&path)).collect();
        assert_eq!(made.len(), 12);
        // The other process ends without dropping anything, as with `multiprocessing`.
        assert_eq!(dropped, [made]);
    }
}

/// Python 3.13 cannot describe an exception when the interpreter ends.
const FINALIZED: &str = r#"
import os
import subprocess
import sys
import traceback
import molotov


class Helper:
    def __init__(self):
        self.process = subprocess.Popen(["sleep", "60"])

    def __del__(self, open=os.open, write=os.write, flags=os.O_WRONLY | os.O_CREAT):
        self.process.terminate()
        lines = [str(self.process.wait()), subprocess.run(["/bin/echo", "text"], stdout=-1, text=True).stdout.strip()]
        if sys.version_info < (3, 13):
            try:
                raise ValueError("at the end")
            except ValueError:
                lines += traceback.format_exc().splitlines()[-1:]
        write(open("ended", flags), "\n".join(lines).encode())


helper = Helper()


@molotov.scenario()
async def patched(session):
    from unittest import mock

    with mock.patch("socket.array.array", "replaced"):
        import array

        assert array.array == "replaced"
    assert array.array != "replaced" and "typecodes" in dir(sys.modules["socket"].array)
"#;

#[test]
fn finalizers_use_modules_that_were_not_imported_yet() {
    let scripts = Scripts::new(&[("loadtest.py", FINALIZED)]);
    assert_eq!(scripts.program("-c -f 1 -r 1 loadtest.py").run().exited(0).totals(), (1, 0));
    let ended = fs::read_to_string(scripts.directory.path().join("ended")).unwrap();
    assert!(["-15\ntext", "-15\ntext\nValueError: at the end"].contains(&ended.as_str()), "{ended}");
}
