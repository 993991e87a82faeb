//! The crate under another name, as a path and as a text.
mod deep {
    pub use ::molotov as fire;
}

#[deep::fire::scenario(crate = crate::deep::fire)]
async fn one() {}

#[deep::fire::scenario(crate = "crate::deep::fire", weight = 2)]
async fn two() {}

fn main() {
    assert_eq!(deep::fire::registry::Registry::collect().scenarios().len(), 2);
}
