//! How many generated cases a property is tried with.

use proptest::{prelude::ProptestConfig, test_runner::RngSeed};

/// The same cases each time, so that a change is what breaks them. With `MOLOTOV_CASES`, as many others as it says.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("MOLOTOV_CASES").ok();
    let asked = asked.map(|text| text.parse().unwrap_or_else(|_| panic!("MOLOTOV_CASES is `{text}`, not a number")));
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        rng_seed: if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
