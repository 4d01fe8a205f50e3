//! Captured messages: what rsplib sends we can read, what we send tshark can read, and all three
//! read the same.
//!
//! `RSERPOOL_UPDATE_CAPTURES=1 cargo test -p rserpool-wire --test captures` writes the readings
//! anew (tshark must be installed).

mod support;

use rserpool_wire::{Protocol, asap, enrp};
use support::pcap::{Carrier, all_messages, capture};
use support::transcript::{self, Entry};
use support::{reading, tshark};

const RSPLIB: &str = "rsplib.txt";
const OURS: &str = "ours.txt";

/// Every message that rsplib sent is read as tshark reads it, and written octet by octet as rsplib
/// wrote it.
#[test]
fn rsplibs_messages_are_read_and_written_alike() {
    let entries = transcript::load(RSPLIB);
    assert_eq!(entries.len(), 58);
    for entry in entries {
        let (written, unrecognized) = decode_and_encode(entry.protocol, &entry.octets);
        assert_eq!(written, entry.octets, "{:?}", entry.comments);
        assert_eq!(unrecognized, 0);
        assert_eq!(reading::ours(entry.protocol, &entry.octets), entry.reading);
    }
}

/// Every message that we send is the one that tshark has read, and we read it the same.
#[test]
fn our_messages_are_those_that_tshark_has_read() {
    let entries = transcript::load(OURS);
    let messages = all_messages();
    assert_eq!(entries.len(), messages.len());
    for (entry, (_, octets)) in entries.iter().zip(messages) {
        assert_eq!(entry.octets, octets);
        let (written, unrecognized) = decode_and_encode(entry.protocol, &octets);
        assert_eq!(written, octets);
        assert_eq!(unrecognized, 0);
        assert_eq!(reading::ours(entry.protocol, &octets), entry.reading);
    }
}

/// tshark finds nothing malformed and reads each message as it is written down.
#[test]
fn tshark_reads_all_messages_as_written_down() {
    let ours: Vec<Entry> = transcript_of_ours();
    let Some(readings) = tshark::read(&all_messages()) else {
        return;
    };
    compare(OURS, ours, readings);

    let rsplibs = transcript::load(RSPLIB);
    let messages: Vec<_> = rsplibs
        .iter()
        .map(|entry| (Carrier::Sctp(entry.protocol), entry.octets.clone()))
        .collect();
    let readings = tshark::read(&messages).expect("it was there a moment ago");
    compare(RSPLIB, rsplibs, readings);
}

fn compare(file: &str, mut entries: Vec<Entry>, readings: Vec<String>) {
    for (entry, reading) in entries.iter_mut().zip(readings) {
        entry.reading = reading;
    }
    if std::env::var_os("RSERPOOL_UPDATE_CAPTURES").is_some() {
        transcript::save(file, &entries);
        if file == OURS {
            let pcap = capture(&all_messages());
            std::fs::write(transcript::path("ours.pcap"), pcap).expect("writable");
        }
    }
    for (written_down, entry) in transcript::load(file).iter().zip(&entries) {
        assert_eq!(written_down, entry);
    }
}

fn transcript_of_ours() -> Vec<Entry> {
    all_messages()
        .into_iter()
        .map(|(carrier, octets)| {
            let protocol = match carrier {
                Carrier::Sctp(protocol) => protocol,
                Carrier::AsapOverUdp => Protocol::Asap,
            };
            Entry {
                comments: vec![format!("# {}", show(protocol, &octets))],
                protocol,
                octets,
                reading: String::new(),
            }
        })
        .collect()
}

fn show(protocol: Protocol, octets: &[u8]) -> String {
    let dissection = rserpool_wire::dissect(protocol, octets);
    dissection.verdict.expect("we only write what can be read")
}

fn decode_and_encode(protocol: Protocol, octets: &[u8]) -> (Vec<u8>, usize) {
    match protocol {
        Protocol::Asap => {
            let decoded = asap::Message::decode(octets).expect("readable");
            (decoded.message.encode(), decoded.unrecognized.len())
        }
        Protocol::Enrp => {
            let decoded = enrp::Message::decode(octets).expect("readable");
            (decoded.message.encode(), decoded.unrecognized.len())
        }
    }
}
