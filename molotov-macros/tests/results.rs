//! All types that a function can return.
#![deny(warnings)]
use std::{borrow::Cow, error::Error, fmt};

use molotov::prelude::*;

/// An error that does not implement `std::error::Error`, like that of `anyhow`.
struct Anyhow(String);

impl fmt::Display for Anyhow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Anyhow {
    fn from(error: E) -> Anyhow {
        Anyhow(error.to_string())
    }
}

#[scenario]
async fn nothing() {}
#[scenario]
async fn unit() -> () {}
#[scenario]
async fn short() -> Result {
    "1".parse::<u8>()?;
    Ok(())
}
#[scenario]
async fn text() -> std::result::Result<(), String> {
    Err("no luck".to_owned())
}
#[scenario]
async fn boxed() -> std::result::Result<(), Box<dyn Error>> {
    "x".parse::<u8>()?;
    Ok(())
}
#[scenario]
async fn boxed_and_sent() -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    Err("no luck")?
}
#[scenario]
async fn anyhow() -> std::result::Result<(), Anyhow> {
    "x".parse::<u8>()?;
    Ok(())
}
#[scenario]
async fn bails() -> Result<()> {
    molotov::bail!("no luck")
}

#[global_setup]
fn init() -> std::result::Result<(), &'static str> {
    Ok(())
}
#[setup]
async fn options() -> std::result::Result<SessionOptions, Anyhow> {
    Ok(SessionOptions::new())
}
#[scenario_picker]
fn pick(StepId(step): StepId) -> Result<Cow<'static, str>> {
    Ok(if step == 1 { "unit".into() } else { "nothing".to_owned().into() })
}
#[teardown]
fn gone() -> Result {
    Ok(())
}
#[global_teardown]
fn over() -> std::result::Result<(), Box<dyn Error>> {
    Ok(())
}

type Made<T> = std::result::Result<T, Anyhow>;

struct Channel(u32);
struct Pool;

#[session_factory]
async fn channel() -> Made<Channel> {
    Ok(Channel(3))
}
#[session_factory]
async fn pool(_: &Context, _: &Args) -> Pool {
    Pool
}
#[scenario]
async fn both(channel: &mut Channel, _: &Pool) {
    channel.0 += 1;
}

#[test]
fn all_are_registered() {
    assert_eq!(molotov::registry::Registry::collect().scenarios().len(), 9);
}
