#![allow(unused)]
use molotov::prelude::*;

#[scenario]
async fn text(session: &str) {}
#[setup_session]
async fn slice(session: &[u8]) {}
#[scenario]
async fn object(session: &dyn Send) {}
#[scenario]
async fn twice(session: &&Session) {}
#[scenario]
async fn forever(session: &'static Session) {}
#[teardown]
fn name(name: &str) {}
#[global_setup]
fn all(args: &[Args]) {}
#[events]
async fn listen(event: &&Event<'_>) {}
#[scenario]
async fn many(
    a: WorkerId, b: WorkerId, c: WorkerId, d: WorkerId, e: WorkerId, f: WorkerId, g: WorkerId, h: WorkerId, i: WorkerId,
) {}

fn main() {}
