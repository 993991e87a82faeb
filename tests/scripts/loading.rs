//! Which package scripts import.

use std::fs;

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
    "argparse", "ast", "asyncio.sslproto", "asyncio.staggered", "http.cookies", "inspect", "ipaddress", "json", "mimetypes", "random",
    "ssl", "typing", "urllib.parse",
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
"#;

#[test]
fn modules_that_are_imported_late_are_those_of_the_standard_library() {
    let scripts = Scripts::new(&[("loadtest.py", USED)]);
    for scenario in ["namespace", "used_by_asyncio"] {
        let program = scripts.program(&format!("-c -f 1 -r 1 -s {scenario} loadtest.py"));
        assert_eq!(program.run().exited(0).totals(), (1, 0));
    }
}
