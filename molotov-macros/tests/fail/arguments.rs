#![allow(unused)]
use molotov::prelude::*;

#[scenario(wieght = 1)]
async fn misspelt() {}
#[scenario(colour = 1)]
async fn unknown() {}
#[scenario(weight = 1, weight = 2)]
async fn repeated() {}
#[scenario(weight = -1)]
async fn negative() {}
#[scenario(weight = "40")]
async fn quoted() {}
#[scenario(weight = f64::NAN)]
async fn nan() {}
#[scenario(weight)]
async fn no_value() {}
#[scenario(weight =)]
async fn no_value_either() {}
#[scenario(delay = -0.5)]
async fn negative_delay() {}
#[scenario(delay = "soon")]
async fn quoted_delay() {}
#[scenario(name = "")]
async fn empty_name() {}
#[scenario(name = 3)]
async fn number_name() {}
#[scenario("browse")]
async fn bare_name() {}
#[scenario(40)]
async fn bare_weight() {}
#[scenario(weight = 1 name = "x")]
async fn no_comma() {}
#[scenario(crate = 3)]
async fn bad_crate() {}
#[scenario(rate = "10")]
async fn no_unit() {}
#[scenario(rate = 10)]
async fn number_rate() {}
#[scenario(rate = "0/s")]
async fn no_rate() {}
#[scenario(rate = "2000000/s")]
async fn high_rate() {}
#[scenario(rate = "10/s", weight = 3)]
async fn rate_and_weight() {}
#[scenario(delay = 3, rate = "10/s")]
async fn delay_and_rate() {}
#[events(rate = "10/s")]
async fn rate_of_another() {}
#[setup(weight = 3)]
async fn of_another() -> SessionOptions { SessionOptions::new() }
#[events(extension = "")]
async fn empty_extension() {}
#[scenario(delay = 3..1)]
async fn reversed_delay() {}
#[scenario(delay = "exp(2)s")]
async fn delay_of_no_kind() {}
#[scenario(pacing = "often")]
async fn no_pacing() {}
#[scenario(pacing = "10s", rate = "10/s")]
async fn pacing_and_rate() {}
#[global_setup(once = true)]
fn once_with_a_value() {}
#[setup(once)]
async fn once_of_another() -> SessionOptions { SessionOptions::new() }

fn main() {}
