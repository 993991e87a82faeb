//! Scripts that the command writes from recordings.

use super::Scripts;

const HAR: &str = include_str!("shop.har");

/// The Rust program for the recording, which is compiled here.
const RUST: &str = include_str!("recorded.rs");

#[rustfmt::skip]
#[allow(dead_code, reason = "it is only compiled")]
#[path = "recorded.rs"]
mod recorded;

#[test]
fn a_recording_becomes_a_script_that_runs() {
    let scripts = Scripts::new(&[]);
    let har = HAR.replace("HOST", &scripts.server.url());
    std::fs::write(scripts.directory.path().join("shop.har"), har).unwrap();
    let output = scripts.program("--from-har shop.har --output shop.py").run().exited(0);
    for note in [
        "left out 1 request for images, styles, fonts and scripts",
        "left out 1 request that is not HTTP",
        "secrets are `***` in the script; `--show-secrets` keeps them",
        "wrote `shop.py`",
    ] {
        assert!(output.stderr.contains(note), "{note}: {output:#?}");
    }
    // A pause is think time, which is in no latency.
    assert!(scripts.written("shop.py").contains("    await molotov.think(0.3)\n"), "{}", scripts.written("shop.py"));
    let output = scripts.program("shop.py --single-run -v").run().exited(0);
    assert_eq!(output.totals(), (1, 0), "{output:#?}");
    let arrivals = scripts.server.arrivals();
    let paths: Vec<_> = arrivals.iter().map(|arrival| arrival.path.as_str()).collect();
    assert_eq!(paths, ["/ok/home", "/ok/login", "/ok/orders"]);
    assert!(arrivals.iter().all(|arrival| arrival.headers["accept-language"] == "fr"), "{arrivals:?}");
    assert_eq!(&arrivals[1].body[..], b"user=ada+%22l%22&password=%2A%2A%2A");
    let order = String::from_utf8_lossy(&arrivals[2].body);
    assert!(order.contains("\"item\": 5000000000") && order.contains("\"gift\": true"), "{order}");
    // The pause of the user, without the time of the requests before.
    let pause = (arrivals[1].at - arrivals[0].at).as_secs_f64();
    assert!((0.29..2.0).contains(&pause), "{pause}");
    let shown = scripts.program("--from-har shop.har --show-secrets").run().exited(0).stdout;
    for secret in ["=abc", "\"pw\"", "Bearer secret", "\"k\""] {
        assert!(shown.contains(secret) && !scripts.written("shop.py").contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn a_recording_becomes_a_rust_program_that_compiles() {
    let scripts = Scripts::new(&[]);
    std::fs::write(scripts.directory.path().join("shop.har"), HAR.replace("HOST", "http://127.0.0.1:8080")).unwrap();
    let written = scripts.program("--from-har shop.har --language rust").run().exited(0).stdout;
    assert!(written == RUST, "`tests/scripts/recorded.rs` must be:\n{written}");
    let output = scripts.program("--from-har shop.har --output shop.rs").run().exited(0);
    let next = "make it the `src/main.rs` of a crate that depends on `molotov`, and run it once with `cargo run -- --single-run`";
    assert!(output.stderr.contains(next), "{output:#?}");
}
