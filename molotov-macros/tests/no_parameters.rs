//! Functions without parameters.
#![deny(warnings)]
use molotov::prelude::*;

#[global_setup]
fn init() {}
#[setup]
async fn options() -> SessionOptions {
    SessionOptions::new()
}
#[setup_session]
async fn open() {}
#[scenario(weight = 0)]
async fn nothing() {}
#[scenario]
pub(crate) async fn patterns(WorkerId(id): WorkerId, mut _session: &Session, _: &Context) {
    let _ = id;
    let _: &mut &Session = &mut _session;
}
#[scenario_picker]
fn pick() -> String {
    "nothing".to_owned()
}
#[events]
async fn listen() {}
#[teardown_session]
async fn close() {}
#[teardown]
fn gone() {}
#[global_teardown]
fn over() {}

#[test]
fn all_are_registered() {
    assert_eq!(molotov::registry::Registry::collect().scenarios().len(), 2);
}
