//! The attributes of Molotov. Use them through the `molotov` crate.
//!
//! Their documentation is in `docs`; the book includes it too.

mod attribute;
mod data;
mod delay;
mod expand;
mod function;

use proc_macro::TokenStream;

#[doc = include_str!("../docs/scenario.md")]
#[proc_macro_attribute]
pub fn scenario(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Scenario, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/scenario_picker.md")]
#[proc_macro_attribute]
pub fn scenario_picker(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::ScenarioPicker, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/global_setup.md")]
#[proc_macro_attribute]
pub fn global_setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::GlobalSetup, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/setup.md")]
#[proc_macro_attribute]
pub fn setup(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Setup, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/setup_session.md")]
#[proc_macro_attribute]
pub fn setup_session(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::SetupSession, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/teardown_session.md")]
#[proc_macro_attribute]
pub fn teardown_session(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::TeardownSession, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/teardown.md")]
#[proc_macro_attribute]
pub fn teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Teardown, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/global_teardown.md")]
#[proc_macro_attribute]
pub fn global_teardown(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::GlobalTeardown, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/events.md")]
#[proc_macro_attribute]
pub fn events(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::Events, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/session_factory.md")]
#[proc_macro_attribute]
pub fn session_factory(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute::Kind::SessionFactory, arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/data.md")]
#[proc_macro_attribute]
pub fn data(arguments: TokenStream, item: TokenStream) -> TokenStream {
    data::expand(arguments.into(), item.into()).into()
}
