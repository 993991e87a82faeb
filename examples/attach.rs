//! Each worker logs in once, and keeps the token for its scenarios.

use molotov::prelude::*;
use molotov_examples::at;

struct Account {
    token: String,
}

#[setup_session]
async fn log_in(session: &Session) -> Result<()> {
    let answer: Value = session.post(at("/login")).send().await?.error_for_status()?.json().await?;
    let Some(token) = answer["token"].as_str() else { bail!("no token in {answer}") };
    session.attach(Account { token: token.to_owned() });
    Ok(())
}

#[teardown_session]
async fn log_out(session: &Session) {
    assert!(session.attached::<Account>().is_some());
}

#[scenario]
async fn who_am_i(session: &Session) -> Result<()> {
    let Some(account) = session.attached::<Account>() else { bail!("nobody is logged in") };
    let me: Value = session.get(at("/me")).bearer_auth(&account.token).send().await?.error_for_status()?.json().await?;
    assert_eq!(me["name"], "ada");
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
