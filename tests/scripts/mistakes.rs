//! The messages for small mistakes in scripts and on command lines.

use molotov_tests::{Output, Program};

use super::{MOLOTOV, Scripts};

fn run(script: &str, line: &str) -> Output {
    Scripts::new(&[("loadtest.py", script)]).program(line).run()
}

#[test]
fn decorators_work_without_parentheses() {
    let script = r#"
import molotov

@molotov.global_setup
def begin(args):
    print("global_setup")

@molotov.setup
async def prepare(worker, args):
    print("setup")

@molotov.events
async def hear(event, **info):
    if event == "scenario_success":
        print("heard", info["scenario"]["name"])

@molotov.scenario_picker
def pick(worker, step):
    return "one"

@molotov.scenario
async def one(session):
    print("scenario")
"#;
    let output = run(script, "-r 1 -c").exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    for part in ["\nglobal_setup\n", "\nsetup\n", "\nscenario\n", "\nheard one\n"] {
        assert!(format!("\n{}", output.stdout).contains(part), "{part:?}: {output:#?}");
    }
}

/// The failure messages of scenarios that run these statements with a response.
#[track_caller]
fn failing<const N: usize>(work: [&str; N]) -> [String; N] {
    let scenario = |(number, work): (usize, &str)| {
        format!(
            "@molotov.scenario()\nasync def s{number}(session):\n    \
             async with session.get(os.environ['TARGET'] + '/fail/one') as response:\n        {work}\n\n\n"
        )
    };
    let scenarios: String = work.into_iter().enumerate().map(scenario).collect();
    let output = run(&format!("import molotov, os\n\n\n{scenarios}"), "--single-run -c").exited(0);
    std::array::from_fn(|number| {
        let start = format!("`s{number}` failed: ");
        let line =
            output.stdout.lines().find_map(|line| Some(line.split_once(&start)?.1.split_once(" (at loadtest.py:")?.0));
        line.unwrap_or_else(|| panic!("{}: {output:#?}", work[number])).to_owned()
    })
}

#[test]
fn misspelt_names_get_a_suggestion() {
    let messages =
        failing(["session.pots('/')", "response.statsu", "respons.status", "[].appendd(1)", "session.nothing_like_it"]);
    let expected = [
        "AttributeError: 'ClientSession' object has no attribute 'pots'. Did you mean: 'post'?",
        "AttributeError: 'ClientResponse' object has no attribute 'statsu'. Did you mean: 'status'?",
        "NameError: name 'respons' is not defined. Did you mean: 'response'?",
        "AttributeError: 'list' object has no attribute 'appendd'. Did you mean: 'append'?",
        "AttributeError: 'ClientSession' object has no attribute 'nothing_like_it'",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn an_assertion_without_a_message_shows_its_code() {
    let messages = failing([
        "assert response.status == 200",
        "assert response.status == 200, 'refused'",
        "assert (\n            response.status\n            == 200)",
        "raise AssertionError",
    ]);
    let expected = [
        "AssertionError: assert response.status == 200",
        "AssertionError: refused",
        "AssertionError: assert ( response.status == 200)",
        "AssertionError: raise AssertionError",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn incomplete_urls_say_what_is_missing() {
    let urls = [
        ("localhost:8080/x", "the scheme is missing; write http://localhost:8080/x"),
        ("localhost/x", "the scheme is missing; write http://localhost/x"),
        ("127.0.0.1:8080/x", "the scheme is missing; write http://127.0.0.1:8080/x"),
        ("httpd:8080/x", "the scheme is missing; write http://httpd:8080/x"),
        ("https/x", "the scheme is missing; write http://https/x"),
        ("https//localhost/x", "a colon is missing; write https://localhost/x"),
        (
            "/x",
            "the scheme and host are missing; pass `--host http://HOST`, set `base_url` in `setup`, or write http://HOST/x",
        ),
        ("http:/x", "the host is missing; write http://HOST/PATH"),
        ("", "the URL is empty"),
        ("ftp://localhost/", "the scheme `ftp` is not supported; use http or https"),
    ];
    let work = urls.map(|(url, _)| format!("await session.get({url:?})"));
    let messages = failing(work.each_ref().map(String::as_str));
    for ((url, note), message) in urls.into_iter().zip(messages) {
        assert!(message.starts_with("InvalidURL: ") && message.contains(note), "{url:?}: {message}");
        // yarl writes `http:/x` with an empty host.
        assert!(message.replace(":///", ":/").contains(url), "{url:?}: {message}");
    }
}

#[test]
fn of_scenarios_with_one_name_the_last_runs_with_a_warning() {
    let script = r#"
import molotov

@molotov.scenario()
async def same(session):
    print("the first")

@molotov.scenario(name="same")
async def other(session):
    print("the last")
"#;
    let output = run(script, "--single-run -c -p 2").exited(0);
    assert_eq!((output.totals(), output.stdout.contains("the first")), ((2, 0), false), "{output:#?}");
    let warning = "warning: two scenarios are named `same`: loadtest.py:4 and loadtest.py:8; only the last one runs, \
                   rename one with `name=\"...\"`\n";
    assert_eq!(output.stderr.matches(warning).count(), 1, "{output:#?}");
    let quiet = run(script, "--single-run -q").exited(0);
    assert!(!quiet.stderr.contains("two scenarios"), "{quiet:#?}");
}

#[test]
fn a_missing_await_names_the_function() {
    let script = r#"
import os
import molotov

URL = os.environ["TARGET"] + "/ok/1"

@molotov.scenario()
async def a_forgotten(session):
    session.get(URL)

@molotov.scenario()
async def b_with_options(session):
    session.post(URL, json={})

@molotov.scenario()
async def c_attribute(session):
    print(session.get(URL).status)

@molotov.scenario()
async def d_item(session):
    response = await session.get(URL)
    response.json()["result"]

@molotov.scenario()
async def e_fine(session):
    async with session.get(URL) as response:
        await response.json()
    response = await session.request("GET", URL)
    await response.text()
    response.release()
    assert not hasattr(session.get, "__nothing__")
"#;
    let output = run(script, "--single-run -c").exited(0);
    assert_eq!(output.totals(), (3, 2), "{output:#?}");
    for (function, times) in [("session.get", 2), ("session.post", 1), ("response.json", 1), ("response.text", 0)] {
        let warning = format!("RuntimeWarning: coroutine '{function}' was never awaited");
        assert_eq!(output.stderr.matches(&warning).count(), times, "{function}: {output:#?}");
    }
    for message in [
        "'coroutine' object has no attribute 'status': `session.get()` returns a coroutine; write `await` before the call",
        "'coroutine' object is not subscriptable: `response.json()` returns a coroutine; write `await` before the call",
    ] {
        assert!(output.stdout.contains(message), "{message}: {output:#?}");
    }
    assert!(!output.stdout.contains("_core") && !output.stderr.contains("_core"), "{output:#?}");
}

#[test]
fn a_command_without_a_script_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let output = Program::new(MOLOTOV, "").in_directory(directory.path()).run().exited(1);
    for part in ["Cannot import 'loadtest.py'", "names no script", "molotov my_test.py", "molostart --language python"]
    {
        assert!(output.stderr.contains(part), "{part}: {output:#?}");
    }
}

const WITH_BODY: &str = r#"
import molotov

@molotov.scenario()
async def with_body(session):
    pass

@molotov.scenario()
async def without(session):
    pass
"#;

#[test]
fn a_misspelt_scenario_gets_a_suggestion() {
    let output = run(WITH_BODY, "-s with_bdy").exited(1);
    let message = "no scenario is named `with_bdy`; did you mean `with_body`? There are `with_body`, `without`";
    assert!(output.stderr.contains(message), "{output:#?}");
    let picker = format!("{WITH_BODY}\n@molotov.scenario_picker()\ndef pick(worker, step):\n    return 'with_bdy'\n");
    let output = run(&picker, "-r 1 -c").exited(0);
    let message = "the picker named `with_bdy`, which is not a scenario of this run; did you mean `with_body`? There are: \
                   with_body, without";
    assert!(output.stdout.contains(message), "{output:#?}");
}

#[test]
fn the_list_shows_the_script_only() {
    let listed = run(WITH_BODY, "--list").exited(0).stdout;
    assert!(
        listed.contains("loadtest.py:4") && !listed.contains("built in") && !listed.contains("FIXTURE"),
        "{listed}"
    );
    let closing = format!("{WITH_BODY}\n@molotov.teardown_session()\nasync def close(worker, session):\n    pass\n");
    let listed = run(&closing, "--list").exited(0).stdout;
    assert!(listed.contains("teardown_session  loadtest.py:12"), "{listed}");
}

#[test]
fn every_command_prints_its_version_alike() {
    for command in [MOLOTOV, env!("CARGO_BIN_EXE_molostart"), env!("CARGO_BIN_EXE_moloslave")] {
        let output = Program::new(command, "--version").run().exited(0);
        assert_eq!((output.stdout.trim_end(), &*output.stderr), (env!("CARGO_PKG_VERSION"), ""), "{command}");
    }
}
