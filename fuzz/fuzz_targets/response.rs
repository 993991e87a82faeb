//! Passes any bytes to the HTTP/1.1 reader. It must not panic, and its result must not depend on how the bytes are split.
#![no_main]

mod pieces;

libfuzzer_sys::fuzz_target!(|input: &[u8]| pieces::check(input));
