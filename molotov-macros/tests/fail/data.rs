#![allow(unused)]
use molotov::prelude::*;
use serde::Deserialize;

#[data]
#[derive(Deserialize)]
struct NoFile { id: u32 }
#[data(users.csv)]
#[derive(Deserialize)]
struct NoQuotes { id: u32 }
#[data("")]
#[derive(Deserialize)]
struct EmptyFile { id: u32 }
#[data("users.txt")]
#[derive(Deserialize)]
struct OtherFormat { id: u32 }
#[data("users.csv", order = "sorted")]
#[derive(Deserialize)]
struct UnknownOrder { id: u32 }
#[data("users.csv", order = queue)]
#[derive(Deserialize)]
struct UnquotedOrder { id: u32 }
#[data("users.csv", each = "scenario")]
#[derive(Deserialize)]
struct UnknownEach { id: u32 }
#[data("users.csv", oder = "queue")]
#[derive(Deserialize)]
struct Misspelt { id: u32 }
#[data("users.csv", limit = 3)]
#[derive(Deserialize)]
struct UnknownArgument { id: u32 }
#[data("users.csv", each = "run", each = "run")]
#[derive(Deserialize)]
struct Repeated { id: u32 }
#[data("users.csv", "admins.csv")]
#[derive(Deserialize)]
struct TwoFiles { id: u32 }
#[data("users.csv", order)]
#[derive(Deserialize)]
struct NoValue { id: u32 }
#[data("users.csv")]
async fn function(session: &Session) {}
#[data("users.csv")]
const CONSTANT: u32 = 3;
#[data("users.csv")]
#[derive(Deserialize)]
struct Borrowed<'a> { name: &'a str }
#[data("users.csv")]
#[derive(Deserialize)]
struct Generic<T> { id: T }
#[data("users.csv")]
struct NoDeserialize { id: u32 }

fn main() {}
