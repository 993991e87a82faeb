//! Feeds the HTTP/1.1 reader any bytes: it must not panic, and must say the same wherever the bytes are cut.
#![no_main]

mod pieces;

libfuzzer_sys::fuzz_target!(|input: &[u8]| pieces::check(input));
