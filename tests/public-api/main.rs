//! Prints the public API of a crate, one item per line, from the JSON that `rustdoc` wrote. `.ci/public-api` runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("error: no path of a JSON file of `rustdoc` is given");
        return ExitCode::from(2);
    };
    // Left out are implementations for all types, such as `Any`, and `Send` and `Sync`, which follow from the fields.
    let builder = public_api::Builder::from_rustdoc_json(path).omit_blanket_impls(true).omit_auto_trait_impls(true);
    match builder.build() {
        Ok(api) => {
            print!("{api}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: the JSON of `rustdoc` cannot be read: {error}");
            eprintln!("If Rust is newer, raise `public-api` in tests/public-api/Cargo.toml.");
            ExitCode::FAILURE
        }
    }
}
