//! Any octets as ENRP.

#![no_main]

#[path = "../support/round_trip.rs"]
mod round_trip;

use libfuzzer_sys::fuzz_target;
use round_trip::round_trip;
use rserpool_wire::{Protocol, enrp};

fuzz_target!(|octets: &[u8]| {
    round_trip!(octets, Protocol::Enrp, enrp::Message);
});
