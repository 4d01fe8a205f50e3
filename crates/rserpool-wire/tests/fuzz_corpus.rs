//! What fuzzing has found worth keeping, replayed: nothing panics, what is read survives writing.

use rserpool_wire::{Protocol, asap, dissect, enrp};
use std::path::Path;

/// All files of one corpus.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let octets: Vec<_> = files
        .map(|file| std::fs::read(file.expect("listed").path()).expect("readable"))
        .collect();
    assert!(octets.len() > 20, "the corpus of {target} is gone");
    octets
}

#[test]
fn decode_asap() {
    for octets in corpus("decode_asap") {
        assert!(!dissect(Protocol::Asap, &octets).to_string().is_empty());
        if let Ok(decoded) = asap::Message::decode(&octets) {
            let again = asap::Message::decode(&decoded.message.encode()).expect("written by us");
            assert_eq!(again.message, decoded.message);
        }
    }
}

#[test]
fn decode_enrp() {
    for octets in corpus("decode_enrp") {
        assert!(!dissect(Protocol::Enrp, &octets).to_string().is_empty());
        if let Ok(decoded) = enrp::Message::decode(&octets) {
            let again = enrp::Message::decode(&decoded.message.encode()).expect("written by us");
            assert_eq!(again.message, decoded.message);
        }
    }
}
