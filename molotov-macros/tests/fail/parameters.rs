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
fn no_worker(worker: WorkerId) {}
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
#[scenario]
async fn optional(session: Option<&Session>) {}
#[setup_session]
async fn optional_mut(session: Option<&mut Session>) {}
#[scenario]
async fn list(sessions: Vec<&Session>) {}
#[scenario]
async fn tuple((session, ctx): (&Session, &Context)) {}
#[scenario]
async fn shared(session: Rc<Session>) {}
#[teardown_session]
async fn callback(call: Box<dyn Fn(&Session)>) {}
#[setup]
async fn optional_context(ctx: Option<&Context>) -> SessionOptions { SessionOptions::new() }
#[global_teardown]
fn optional_args(args: Option<&Args>) {}
#[scenario_picker]
fn picker_args(args: Option<&Args>) -> &'static str { "x" }
#[events]
async fn owned_event(event: Event<'_>) {}

fn main() {}
