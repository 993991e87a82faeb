//! The docstrings of the package.

use super::Scripts;

const HELP: &str = r#"
import inspect
import molotov
import molotov.run
import molotov.session
import molotov.util

# By hand: the arguments of the functions that a fixture's decorator takes.
DECORATED = {
    "setup": "worker_id args", "setup_session": "worker_id session", "teardown_session": "worker_id session",
    "teardown": "worker_id", "global_setup": "args", "scenario_picker": "worker_id step_id", "events": "event info",
}

@molotov.scenario()
async def one(session):
    wrong = []
    for module in (molotov, molotov.api, molotov.run, molotov.session, molotov.util):
        for name, value in vars(module).items():
            if name.startswith("_") or not callable(value) or not value.__module__.startswith("molotov"):
                continue
            text = inspect.getdoc(value) or ""
            if not text.partition("\n")[0].endswith("."):
                wrong.append("%s.%s has no first sentence" % (module.__name__, name))
            if inspect.isclass(value):
                continue
            names = list(inspect.signature(value).parameters) + DECORATED.get(name, "").split()
            wrong += ["%s.%s does not explain `%s`" % (module.__name__, name, one) for one in names if one not in text]
    assert not wrong, "\n".join(wrong)
"#;

#[test]
fn help_explains_every_argument() {
    let scripts = Scripts::new(&[("help.py", HELP)]);
    let output = scripts.program("--single-run -c -f 1 help.py").run();
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
}
