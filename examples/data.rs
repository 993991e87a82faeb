//! Rows of files: each worker is a user, and each order is placed once. `cargo run --example data -- -w 3` ends after the last
//! order.

use molotov::prelude::*;
use molotov_examples::at;
use serde::{Deserialize, Serialize};

/// A worker keeps its row until it ends. More than three workers share the three users.
#[data("users.csv")]
#[derive(Deserialize, Serialize)]
struct User {
    name: String,
    password: String,
}

/// Each run of the scenario takes the next row. After the last one, the workers end.
#[data("orders.jsonl", each = "run", order = "queue")]
#[derive(Deserialize, Serialize)]
struct Order {
    item: String,
    amount: u32,
}

#[setup_session]
async fn log_in(session: &Session, user: &User) -> Result<()> {
    session.post(at("/shop/login")).json(user).send().await?.error_for_status()?;
    Ok(())
}

#[scenario]
async fn buy(session: &Session, order: &Order) -> Result<()> {
    session.post(at("/cart")).json(order).send().await?.error_for_status()?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
