#![allow(unused)]
use molotov::prelude::*;

#[molotov::scenario]
fn one() {}
#[setup]
fn two() -> SessionOptions { SessionOptions::new() }
#[setup_session]
fn three() {}
#[teardown_session]
fn four() {}
#[events]
fn five() {}
#[session_factory]
fn six() -> u32 { 6 }
#[scenario_picker]
async fn seven() -> &'static str { "x" }
#[global_setup]
async fn eight() {}
#[global_teardown]
async fn nine() {}
#[teardown]
async fn ten() {}

fn main() {}
