//! Scenarios that note the rows of `rows.csv`, one for each order: `--use-extension data -s queue`.

use molotov::prelude::*;
use molotov_tests::note;
use serde::Deserialize;

macro_rules! scenarios {
    ($($order:literal $row:ident $name:ident;)*) => {
        $(
            #[data("rows.csv", each = "run", order = $order)]
            #[derive(Deserialize)]
            struct $row {
                id: u32,
            }

            #[scenario(extension = "data")]
            async fn $name(row: &$row) {
                note(&format!("row {}", row.id));
            }
        )*
    };
}

scenarios! {
    "queue" Queue queue;
    "circular" Circular circular;
    "shuffle" Shuffle shuffle;
    "random" Random random;
}

#[data("rows.csv", order = "queue")]
#[derive(Deserialize)]
struct Kept {
    id: u32,
}

#[setup_session(extension = "data")]
async fn keep(row: &mut Kept) {
    note(&format!("kept {}", row.id));
    row.id += 1_000_000;
}

#[scenario(extension = "data")]
async fn kept(row: &Kept) {
    note(&format!("row {}", row.id));
}

#[scenario(extension = "data")]
async fn pairs(one: &Queue, other: &Queue) {
    note(&format!("row {}", one.id));
    note(&format!("row {}", other.id));
}
