//! Functions that a macro generates, and attributes on functions that are not compiled.
#![deny(warnings)]
use molotov::prelude::*;

macro_rules! scenarios {
    ($($name:ident: $session:ty => $result:ty,)*) => {$(
        #[scenario]
        async fn $name(session: $session, worker: WorkerId) -> $result {
            let _ = (session, worker);
            Ok(())
        }
    )*};
}

scenarios! {
    one: &Session => Result,
    two: &mut Session => std::result::Result<(), String>,
}

macro_rules! factory {
    ($name:ident, $made:ident) => {
        struct $made;
        #[session_factory]
        async fn $name(_: &Context) -> Result<$made> {
            Ok($made)
        }
        #[teardown]
        fn gone(_: &Args) {}
    };
}

factory!(channel, Channel);

#[scenario]
async fn uses(_: &Channel) {}

#[cfg(any())]
#[scenario]
async fn cfg_above(_: Missing) {}

#[scenario]
#[cfg(any())]
async fn cfg_below(_: Missing) {}

#[test]
fn all_are_registered() {
    assert_eq!(molotov::registry::Registry::collect().scenarios().len(), 3);
}
