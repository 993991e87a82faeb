//! A first load test, which starts its own server.
//!
//! `cargo run --release --example quickstart`, or with options: `-- -w 50 -d 10`.

use molotov::prelude::*;
use molotov_examples::{Target, serve_if_asked};

#[global_setup]
fn remember(_args: &Args) -> Result<()> {
    // `main` sets it to the address of the server that it starts.
    set_var("url", std::env::var("QUICKSTART_URL")?);
    Ok(())
}

#[scenario(weight = 70)]
async fn home(session: &Session) -> Result<()> {
    let url: String = get_var_or_init("url", String::new);
    let response = session.get(&url).send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

#[scenario(weight = 30)]
async fn user(session: &Session, ctx: &Context) -> Result<()> {
    let url: String = get_var_or_init("url", String::new);
    let id = ctx.random_below(1000);
    let user: Value = session.get(format!("{url}/users/{id}")).send().await?.error_for_status()?.json().await?;
    assert_eq!(user["id"], id);
    Ok(())
}

fn main() -> ExitCode {
    serve_if_asked();
    // This program also serves as the target and as the load test, in two more processes.
    if std::env::var_os("QUICKSTART_URL").is_some() {
        return molotov::main();
    }
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: the quickstart cannot be started: {error}");
            ExitCode::from(1)
        }
    }
}

/// Starts the target and the load test, and stops the target at the end.
fn run() -> std::io::Result<u8> {
    let target = Target::start()?;
    let mut options: Vec<_> = std::env::args_os().skip(1).collect();
    if options.is_empty() {
        // Long enough for the dashboard to show charts.
        options = ["-w", "20", "-d", "5"].map(Into::into).to_vec();
    }
    let test = std::env::current_exe()?;
    let status = std::process::Command::new(test).args(options).env("QUICKSTART_URL", &target.url).status()?;
    println!("The target has counted {} requests.", target.counts()?.values().sum::<u64>());
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
