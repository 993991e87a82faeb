//! A load test with a scenario for each kind of failure, and fixtures that fail on request.

use std::{cell::Cell, rc::Rc};

use molotov::prelude::*;
use molotov_tests::{asked, note, target};

fn fail_if_asked(fixture: &str) -> Result<()> {
    note(fixture);
    if asked(fixture) {
        return Err(Failure::msg(format!("{fixture} has no database")));
    }
    Ok(())
}

#[global_setup]
fn global_setup() -> Result<()> {
    if asked("hang") {
        note("hanging");
        hang();
    }
    if let Some(file) = std::env::var_os("WAIT_FOR") {
        note("waiting");
        while !std::fs::exists(&file)? {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    fail_if_asked("global_setup")
}

#[setup]
async fn setup() -> Result<SessionOptions> {
    fail_if_asked("setup")?;
    Ok(SessionOptions::new())
}

#[setup_session]
async fn setup_session(_session: &Session) -> Result<()> {
    fail_if_asked("setup_session")
}

#[teardown_session]
async fn teardown_session(_session: &Session) -> Result<()> {
    fail_if_asked("teardown_session")
}

#[teardown]
fn teardown() -> Result<()> {
    fail_if_asked("teardown")
}

#[global_teardown]
fn global_teardown() -> Result<()> {
    if asked("hang_at_last") {
        note("hanging");
        hang();
    }
    fail_if_asked("global_teardown")
}

/// Blocks the thread forever.
fn hang() {
    loop {
        std::thread::park();
    }
}

async fn get(session: &Session, path: &str) -> Result<()> {
    session.get(target(path)).send().await?.error_for_status()?;
    Ok(())
}

#[scenario]
async fn fine(session: &Session) -> Result<()> {
    get(session, "/ok/fine").await
}

#[scenario]
async fn refused(session: &Session) -> Result<()> {
    get(session, "/fail/refused").await
}

#[scenario]
async fn third_refused(session: &Session) -> Result<()> {
    get(session, "/fail-at/3").await
}

/// Fails if more than `CAPACITY` requests are in progress.
#[scenario]
async fn borne(session: &Session) -> Result<()> {
    let capacity = std::env::var("CAPACITY").unwrap_or_default();
    get(session, &format!("/bear/{capacity}")).await
}

/// Waits if `CAPACITY` requests are in progress.
#[scenario]
async fn queued(session: &Session) -> Result<()> {
    let capacity = std::env::var("CAPACITY").unwrap_or_default();
    get(session, &format!("/queue/{capacity}")).await
}

#[scenario]
async fn wrong(session: &Session) -> Result<()> {
    let response = session.get(target("/ok/wrong")).send().await?;
    assert_eq!(response.status(), 418, "the server is no teapot");
    Ok(())
}

#[scenario]
async fn held(session: &Session) -> Result<()> {
    get(session, "/hold/held").await
}

/// The first run succeeds, and all later ones hang.
#[scenario]
async fn held_later(session: &Session, ctx: &Context) -> Result<()> {
    let path = if ctx.step() == 1 { "/ok/first" } else { "/hold/later" };
    get(session, path).await
}

#[scenario]
async fn posted(session: &Session) -> Result<()> {
    let body = serde_json::json!({ "drink": "tea" });
    session.post(target("/ok/posted")).header("x-kind", "order").json(&body).send().await?.error_for_status()?;
    Ok(())
}

/// A request with secrets in its URL, headers and name.
#[scenario]
async fn secretive(session: &Session) -> Result<()> {
    let url = target("/fail/secretive?token=t0ken").replace("http://", "http://ada:pa55@");
    let request = session.get(&url).header("cookie", "id=c00kie").name(format!("GET {url}"));
    request.send().await?.error_for_status()?;
    Ok(())
}

#[scenario]
async fn stuck() {
    note("stuck");
    hang();
}

/// Fails with an error of the standard library.
#[scenario]
async fn unparsable() -> Result<()> {
    let _: u32 = "twelve".parse()?;
    Ok(())
}

struct Counter(Rc<Cell<u32>>);

#[session_factory]
async fn counter() -> Counter {
    note("counter made");
    Counter(Rc::default())
}

#[scenario]
async fn counted(counter: &Counter) {
    counter.0.set(counter.0.get() + 1);
    note(&format!("counted {}", counter.0.get()));
}

/// Prints several lines and an escape sequence.
#[scenario]
async fn talkative(ctx: &Context) {
    ctx.print("one\ntwo \u{1b}[31mred");
}

fn main() -> ExitCode {
    molotov::main()
}
