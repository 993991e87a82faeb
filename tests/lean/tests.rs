//! A load test without optional features, and its errors that name a missing feature.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    thread,
};

/// Starts a server and returns its address. It sends the headers given after the status line.
fn serve(headers: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| drop(thread::spawn(move || respond(stream, headers))))
    });
    address.to_string()
}

fn respond(stream: TcpStream, headers: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{headers}\r\nhello").unwrap();
        }
    }
}

fn run(service: &str, wants: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lean"));
    command.args(arguments).env("SERVICE", service).env("WANTS", wants).output().unwrap()
}

/// Its output.
fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn named(feature: &str) -> String {
    format!("built without the feature `{feature}` of the crate `molotov`")
}

#[test]
fn runs_and_prints_its_table() {
    let output = run(&format!("http://{}/", serve("")), "", &["-w", "2", "-r", "5"]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("GET /") && text.contains("SUCCESSES: 10 | FAILURES: 0"), "{text}");
}

#[test]
fn options_name_the_feature_that_they_need() {
    for (arguments, feature) in [
        (&["--debug"][..], "tracing-subscriber"),
        (&["--statsd"], "statsd"),
        (&["--web", "0"], "web"),
        (&["--report", "html:/dev/null"], "html-report"),
        (&["--report", "junit.xml"], "junit-report"),
        (&["loadtest.py"], "python"),
    ] {
        let output = run("", "", arguments);
        let text = text(&output);
        assert!(
            !output.status.success() && text.contains(&format!("feature `{feature}` of the crate `molotov`")),
            "{text}"
        );
    }
    let help = text(&run("", "", &["--help"]));
    assert!(help.contains("--report") && help.contains("--threshold"), "{help}");
    for hidden in ["--debug", "--statsd", "--console ", "--web", ".html", ".xml"] {
        assert!(!help.contains(hidden), "{hidden}: {help}");
    }
}

#[test]
fn sessions_name_the_feature_that_they_need() {
    for feature in ["brotli", "cookies", "deflate", "gzip", "http2", "reqwest", "zstd"] {
        let text = text(&run(&format!("http://{}/", serve("")), feature, &["-r", "1"]));
        assert!(text.contains(&named(feature)), "{feature}: {text}");
    }
}

#[test]
fn requests_name_the_feature_that_they_need() {
    let tls = text(&run(&format!("https://{}/", serve("")), "", &["-r", "1"]));
    assert!(tls.contains(&named("tls")), "{tls}");
    let charset =
        text(&run(&format!("http://{}/", serve("Content-Type: text/plain; charset=latin1\r\n")), "", &["-r", "1"]));
    assert!(charset.contains(&named("charset")), "{charset}");
}
