#![allow(unused)]
use molotov::prelude::*;

const WEIGHT: f64 = -1.0;
const DELAY: f64 = f64::NAN;

#[scenario(weight = WEIGHT)]
async fn negative() {}
#[scenario(delay = DELAY)]
async fn not_a_number() {}

fn main() {}
