//! The crate under another name, as a path and as a string.
mod deep {
    pub(crate) use ::molotov as fire;
}

#[deep::fire::scenario(crate = crate::deep::fire)]
async fn one() {}

#[deep::fire::scenario(crate = "crate::deep::fire", weight = 2)]
async fn two() {}

#[test]
fn all_are_registered() {
    assert_eq!(deep::fire::registry::Registry::collect().scenarios().len(), 2);
}
