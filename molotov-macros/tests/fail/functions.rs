#![allow(unused)]
use molotov::prelude::*;

#[scenario]
async unsafe fn dangerous() {}
#[global_setup]
extern "C" fn foreign() {}
#[scenario]
async fn generic<T>(value: T) {}
#[scenario]
async fn constant<const N: usize>() {}
#[scenario]
async fn lifetime<'a>(session: &'a Session) {}
#[scenario]
async fn hidden(value: impl Sized) {}
#[scenario]
struct NotAFunction;
#[global_teardown]
const fn fixed() {}

struct Holder;
impl Holder {
    #[scenario]
    async fn method(&self) {}
}

fn main() {}
