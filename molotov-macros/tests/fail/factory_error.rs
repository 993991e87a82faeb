#![allow(unused)]
use molotov::prelude::*;

struct Silent;
struct Channel;

#[session_factory]
async fn channel() -> Result<Channel, Silent> {
    Ok(Channel)
}

#[scenario]
async fn silent() -> Result<(), Silent> {
    Ok(())
}

fn main() {}
