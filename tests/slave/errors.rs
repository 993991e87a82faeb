//! Invalid arguments and repositories.

use std::{fs, os::unix::fs::PermissionsExt};

use molotov_tests::Output;

use super::{Place, SCRIPT, TESTS};

#[test]
fn arguments_never_become_options_or_commands() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let witness = place.path("witness");
    let touch = format!("touch {}", witness.display());
    let script = place.path("script");
    fs::write(&script, format!("#!/bin/sh\n{touch}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let shown = script.display().to_string();
    let good = place.url();

    let lines: Vec<(Vec<String>, i32)> = vec![
        (vec![format!("--upload-pack={shown}"), "good".into()], 2),
        (vec![format!("-u{shown}"), "good".into()], 2),
        (vec!["--".into(), format!("--upload-pack={shown}"), "good".into()], 2),
        (vec![format!("--config=core.sshCommand={shown}"), good.clone(), "good".into()], 1),
        (vec![format!("ext::{shown}"), "good".into()], 2),
        (vec![format!("ext::sh -c {}", touch.replace(' ', "% ")), "good".into()], 2),
        (vec![format!("EXT::{shown}"), "good".into()], 2),
        (vec!["fd::0".into(), "good".into()], 2),
        (vec![format!("ssh://-oProxyCommand={shown}/x"), "good".into()], 1),
        (vec![format!("-oProxyCommand={shown}:x"), "good".into()], 2),
        (vec![format!("{good};{touch}"), "good".into()], 1),
        (vec![format!("{good}\n{touch}"), "good".into()], 2),
        (vec![format!("$({touch})"), "good".into()], 1),
        (vec![format!("`{touch}`"), "good".into()], 1),
        (vec![format!("{good}|{touch}"), "good".into()], 1),
        (vec![String::new(), "good".into()], 2),
        (vec![good.clone(), format!("good;{touch}")], 1),
        (vec![good.clone(), format!("good\n{touch}")], 1),
        (vec![good.clone(), format!("--use-extension={shown}")], 1),
        (vec![good.clone(), format!("$({touch})")], 1),
        (vec!["--branch".into(), format!("--upload-pack={shown}"), good.clone(), "good".into()], 2),
        (vec!["--branch".into(), format!("main;{touch}"), good.clone(), "good".into()], 1),
        (vec!["--branch".into(), format!("main\n{touch}"), good.clone(), "good".into()], 2),
        (vec!["--rev".into(), format!("--upload-pack={shown}"), good.clone(), "good".into()], 2),
        (vec!["--rev".into(), format!("HEAD;{touch}"), good.clone(), "good".into()], 1),
        (vec!["--rev".into(), "--output=x".into(), good.clone(), "good".into()], 2),
    ];
    for (line, code) in lines {
        let output = line.iter().fold(place.slave(""), |slave, word| slave.arg(word)).run();
        assert_eq!(output.code, Some(code), "{line:?}: {output:#?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line:?}: {output:#?}");
        assert!(!witness.exists(), "{line:?} executed a command");
        place.assert_clean();
    }
    assert_eq!(place.server.served(), 0);
}

#[track_caller]
fn assert_error(output: &Output, texts: &[&str]) {
    for text in texts {
        assert!(output.stderr.contains(text), "no {text:?}: {output:#?}");
    }
    assert!(output.stdout.is_empty(), "{output:#?}");
}

#[test]
fn errors_name_what_is_missing() {
    let place = Place::new(&[("other.json", TESTS), ("loadtest.py", SCRIPT)]);
    let nowhere = place.path("nowhere").display().to_string();

    let output = place.slave("").arg(&nowhere).arg("good").run().exited(1);
    assert_error(&output, &["cannot clone", "nowhere"]);

    let output = place.slave("").env("PATH", place.path("tmp").to_str().unwrap()).arg(&nowhere).arg("good").run();
    assert_error(&output.exited(1), &["git is not installed"]);

    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    assert_error(&output, &["does not contain `molotov.json`", "--config"]);

    let output = place.slave("--config other.json").arg(&place.url()).arg("goood").run().exited(1);
    assert_error(&output, &["goood", "good"]);

    let output = place.slave("--config other.json --python python-of-nobody").arg(&place.url()).arg("good").run();
    assert_error(&output.exited(1), &["python-of-nobody", "--python"]);

    let output = place.slave("--config other.json --virtualenv nobodys-virtualenv").arg(&place.url()).arg("good").run();
    assert_error(&output.exited(1), &["cannot create the virtual environment", "nobodys-virtualenv"]);
    let virtualenv = place.path("virtualenv");
    fs::write(&virtualenv, "#!/bin/sh\necho there is no room >&2\nexit 7\n").unwrap();
    fs::set_permissions(&virtualenv, fs::Permissions::from_mode(0o755)).unwrap();
    let virtualenv = virtualenv.to_str().unwrap();
    let output = place.slave("--config other.json --virtualenv").arg(virtualenv).arg(&place.url()).arg("good").run();
    assert_error(&output.exited(1), &["there is no room", "cannot create the virtual environment"]);

    place.commit(&[("molotov.json", "{\"molotov\": {\n  \"tests\": [}")]);
    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    assert_error(&output, &["molotov.json", ":2:"]);

    let output = place.slave("").arg(&place.url()).run().exited(2);
    assert_error(&output, &["Usage"]);
    place.assert_clean();
}

#[test]
fn tokens_in_addresses_are_masked() {
    let place = Place::new(&[]);
    let with =
        |credentials: &str| place.server.url().replace("http://", &format!("http://{credentials}@")) + "/fail/shop";
    for address in [with("ada:t0ken"), with("t0ken"), "ftp://ada:t0ken@localhost/shop".to_owned()] {
        for line in ["", "--rev 0123456789abcdef", "--unknown", "--help"] {
            let output = place.slave(line).env("TEST_REPO", &address).env("TEST_NAME", "good").run();
            assert!(!format!("{output:?}").contains("t0ken"), "{line}: {output:#?}");
            let output = place.slave(line).arg(&address).arg("good").arg(&address).run();
            assert!(!format!("{output:?}").contains("t0ken"), "{line}: {output:#?}");
        }
    }
    let output = place.slave("").arg(&with("ada:t0ken")).arg("good").run().exited(1);
    assert_error(&output, &["Cloning http://ada:***@127.0.0.1:", "cannot clone"]);
    let reached = place.server.arrivals();
    assert!(!reached.is_empty(), "git uses the address");
}

#[test]
fn requirements_and_variables_are_checked_before_the_environment_is_created() {
    let place = Place::new(&[]);
    fs::write(place.path("outside.txt"), "").unwrap();
    std::os::unix::fs::symlink(place.path("outside.txt"), place.repository().join("link.txt")).unwrap();
    let outside = place.path("outside.txt").to_str().unwrap().to_owned();
    for (key, value, why) in [
        ("requirements", format!("{outside:?}"), "outside the repository; name a file inside it"),
        (
            "requirements",
            "\"../../../../../../etc/hostname\"".to_owned(),
            "outside the repository; name a file inside it",
        ),
        ("requirements", "\"link.txt\"".to_owned(), "outside the repository; name a file inside it"),
        ("requirements", "\"none.txt\"".to_owned(), "cannot read the requirements `none.txt`"),
        ("env", r#"{"GOOD": "bad\u0000"}"#.to_owned(), "the value of `GOOD` contains a NUL character"),
        ("env", r#"{"A=B": "x"}"#.to_owned(), "\"A=B\" cannot be the name of an environment variable"),
    ] {
        let tests = format!(r#"{{"molotov": {{"{key}": {value}, "tests": {{"good": {{}}}}}}}}"#);
        place.commit(&[("molotov.json", &tests), ("loadtest.py", SCRIPT)]);
        let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
        assert_error(&output, &[why]);
        assert!(
            !output.stderr.contains("virtual environment"),
            "checked before the environment is created: {output:#?}"
        );
    }
    place.assert_clean();
}

#[test]
fn failing_requirements_are_an_error() {
    let place = Place::new(&[
        (
            "molotov.json",
            r#"{"molotov": {"requirements": "needs.txt", "tests": {"good": {"scenario": "loadtest.py", "max_runs": 1}}}}"#,
        ),
        ("loadtest.py", SCRIPT),
        ("needs.txt", "./not_there-1.0-py3-none-any.whl\n"),
    ]);
    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    assert_error(&output, &["cannot install the requirements `needs.txt`", "not_there"]);
    fs::remove_file(place.repository().join("needs.txt")).unwrap();
    place.commit(&[]);
    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    assert_error(&output, &["cannot read the requirements `needs.txt`"]);
    place.assert_clean();
    assert_eq!(place.server.served(), 0);
}
