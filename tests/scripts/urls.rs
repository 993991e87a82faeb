//! Load tests of URLs, without a script.

use std::time::{Duration, Instant};

use molotov_tests::{Output, Program, Server};

use super::{MOLOTOV, Scripts};

fn run(line: &str) -> Output {
    Program::new(MOLOTOV, line).in_directory(tempfile::tempdir().unwrap().path()).run()
}

#[test]
fn a_run_of_a_url_takes_its_duration_and_starts_no_interpreter() {
    let server = Server::new();
    let started = Instant::now();
    // An interpreter would not start without its library.
    let program = Program::new(MOLOTOV, &format!("{}/ok/a -w 4 -d 1", server.url())).env("PYTHONHOME", "/nowhere");
    let output = program.run().exited(0);
    let took = started.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&took), "{took:?}");
    let (ok, failed) = output.totals();
    assert_eq!((ok, failed), (server.served(), 0), "{output:#?}");
    assert!(ok > 10 && output.stdout.matches("\nGET /ok/a ").count() == 2, "{output:#?}");
    assert_eq!(
        output
            .stderr
            .replace("warning: this is an unoptimised build; use `cargo run --release` for realistic numbers\n", ""),
        ""
    );
}

#[test]
fn each_url_is_a_scenario() {
    let server = Server::new();
    let (one, two, three) =
        (format!("{}/ok/1", server.url()), format!("{}/ok/b?x=1", server.url()), format!("{}/fail/c", server.url()));
    for (line, processes) in [("--single-run -w 2", 1), ("--single-run -w 2 -p 2", 2)] {
        let before = server.served();
        let output = run(&format!("{one} {line} --threshold failures<50% {two} {three} --report out.json")).exited(0);
        assert_eq!(output.totals(), (4 * processes, 2 * processes), "{output:#?}");
        assert_eq!(server.served() - before, 6 * processes);
        // The request has the usual name; the scenario has that of the URL.
        for row in ["GET /ok/1 ", "GET /ok/{n} ", "GET /ok/b ", "GET /fail/c "] {
            assert!(output.stdout.contains(&format!("\n{row}")), "{row}: {output:#?}");
        }
        assert!(output.stdout.contains("the server answered with 500 Internal Server Error"), "{output:#?}");
        assert!(!output.stdout.contains("url.rs"), "{output:#?}");
    }
    let output = run(&format!("{one} {two} --rate 40/s -d 0.5 --warm-up 0.1 -f 1")).exited(0);
    assert_eq!(output.totals().1, 0, "{output:#?}");
    let before = server.counts()["/ok/1"];
    run(&format!("{one} {two} -r 2 --host http://127.0.0.1:1")).exited(0);
    let listed = run(&format!("{one} {two} {one} --list")).exited(0).stdout;
    assert!(listed.contains("GET /ok/1       2  66.7 %  (built in)\n"), "{listed}");
    let selected = format!("{one} {two} -r 3 -s");
    let output = Program::new(MOLOTOV, &selected).arg("GET /ok/1").run().exited(0);
    assert_eq!(output.totals(), (3, 0), "{output:#?}");
    assert!(server.counts()["/ok/1"] >= before + 3);
    // A broken threshold.
    assert_eq!(run(&format!("{three} -r 2 --threshold failures<50%")).code, Some(1));
    assert_eq!(run(&format!("{three} -r 2 -f 2")).code, Some(1));
}

#[test]
fn hosts_with_the_same_path_have_their_own_rows() {
    let (one, two) = (Server::new(), Server::new());
    let output = run(&format!("{}/ok/a {}/ok/a --single-run", one.url(), two.url())).exited(0);
    assert_eq!((one.served(), two.served()), (1, 1));
    for server in [&one, &two] {
        let name = format!("GET {}/ok/a ", server.url().trim_start_matches("http://"));
        assert_eq!(output.stdout.matches(&format!("\n{name}")).count(), 2, "{name}: {output:#?}");
    }
}

#[test]
fn a_configuration_can_name_urls() {
    let scripts = Scripts::new(&[]);
    let test = format!("\"scenario\": \"{}/ok/a\", \"max_runs\": 2, \"method\": \"PUT\"", scripts.server.url());
    std::fs::write(
        scripts.directory.path().join("molotov.json"),
        format!("{{\"molotov\": {{\"tests\": {{\"test\": {{{test}}}}}}}}}"),
    )
    .unwrap();
    let output = scripts.program("--config molotov.json").run().exited(0);
    assert_eq!(output.totals(), (2, 0), "{output:#?}");
    assert!(scripts.server.arrivals().iter().all(|arrival| arrival.method == "PUT"));
}

#[test]
fn mistakes_say_what_to_write() {
    for (line, message) in [
        ("localhost:8080/path", "write `molotov http://localhost:8080/path`"),
        ("127.0.0.1:8080 -d 1", "write `molotov http://127.0.0.1:8080`"),
        ("http://127.0.0.1:8080 a.py", "a run has either URLs or a script: leave out `a.py` or the URLs"),
        ("http://127.0.0.1:8080 localhost:80", "`localhost:80` is no URL: write `http://localhost:80`"),
        ("http://127.0.0.1:99999/", "`http://127.0.0.1:99999/` is not a URL: invalid port number"),
        ("http://127.0.0.1 --body @nowhere.txt", "cannot read the body from `nowhere.txt`: "),
        ("http://127.0.0.1 -d {\"a\":1}", "write the body of a request with `--body`"),
    ] {
        let output = run(line);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{line}: {output:#?}");
        assert!(output.stderr.starts_with("error: ") && output.stderr.contains(message), "{line}: {output:#?}");
    }
}
