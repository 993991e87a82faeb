#![allow(unused)]
use molotov::prelude::*;

#[setup]
mod fixtures {}
#[events]
trait Listener {}
#[global_setup]
const LIMIT: u32 = 3;

trait Load {
    #[scenario]
    async fn no_body();
}

fn main() {}
