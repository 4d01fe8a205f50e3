//! Any sequence of inputs to a registrar: no panic, few and readable outputs, time gets on.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/rserpool-core/tests/fuzz_script/mod.rs"]
mod fuzz_script;

fuzz_target!(|script: &[u8]| fuzz_script::run(script));
