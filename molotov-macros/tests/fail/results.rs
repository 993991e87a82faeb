#![allow(unused)]
use molotov::prelude::*;

#[scenario]
async fn number() -> u32 { 3 }
#[scenario]
async fn full_result() -> Result<u32> { Ok(3) }
#[setup]
async fn options() -> u32 { 3 }
#[setup]
async fn nothing() {}
#[scenario_picker]
fn pick() -> u32 { 3 }
#[scenario_picker]
fn no_pick() {}
#[session_factory]
async fn no_session() {}
#[session_factory]
async fn hidden() -> impl Sized {}

fn main() {}
