#![allow(unused)]
use molotov::prelude::*;

#[scenario]
async fn by_value(count: u32) {}
#[setup_session]
async fn text(text: String) {}
#[setup]
async fn early(session: &Session) -> SessionOptions { SessionOptions::new() }
#[teardown]
fn late(session: &Session) {}
#[session_factory]
async fn factory(session: &Session) -> u32 { 3 }
#[global_setup]
fn nobody(worker: WorkerId) {}
#[scenario_picker]
fn pick(session: &Session) -> &'static str { "x" }
#[events]
async fn listen(worker: WorkerId) {}
#[scenario]
async fn owned(session: Session) {}
#[setup]
async fn changing(args: &mut Args) -> SessionOptions { SessionOptions::new() }
#[global_setup]
fn owned_args(args: Args) {}

fn main() {}
