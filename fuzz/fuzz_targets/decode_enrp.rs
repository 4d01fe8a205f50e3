//! Any octets as ENRP: nothing panics, and what is read survives writing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rserpool_wire::{Protocol, dissect, enrp::Message};

fuzz_target!(|octets: &[u8]| {
    assert!(!dissect(Protocol::Enrp, octets).to_string().is_empty());
    match Message::decode(octets) {
        Ok(decoded) => {
            let written = decoded.message.encode();
            assert_eq!(written.len(), decoded.message.encoded_len());
            let again = Message::decode(&written).expect("whatever is written can be read");
            assert_eq!(again.message, decoded.message);
            assert_eq!(again.unrecognized, []);
            assert!(!decoded.message.to_string().contains('\n'));
        }
        Err(undecodable) => assert!(undecodable.error.offset <= octets.len()),
    }
});
