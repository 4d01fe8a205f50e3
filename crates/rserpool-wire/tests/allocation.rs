//! What a stranger can make us allocate is bounded by what it sends.

use rserpool_wire::{Protocol, asap, dissect, enrp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocated octets per octet of the message, all that was freed in between included.
const RATIO_MAX: usize = 64;

fn allocated(work: impl FnOnce()) -> (usize, usize) {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    (change.bytes_allocated, change.allocations)
}

fn message(message_type: u8, start: &[u8], parameter: &[u8], octets: usize) -> Vec<u8> {
    let mut message = vec![message_type, 0, 0, 0];
    message.extend_from_slice(start);
    while message.len() + parameter.len() <= octets {
        message.extend_from_slice(parameter);
    }
    let length = u16::try_from(message.len()).expect("a message");
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// The smallest pool element that can be: opaque transport without octets, round robin.
const PE: [u8; 28] = [
    0, 10, 0, 28, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 16, 0, 4, 0, 8, 0, 8, 0, 0, 0, 1,
];

/// The messages that make the most of small parameters. One test, because the allocator counts for
/// the whole process.
#[test]
fn decoding_allocates_in_proportion() {
    let handle = [0, 9, 0, 4];
    let route = [0, 0, 0, 1, 0, 0, 0, 2];
    let entry = [&handle[..], &PE[..]].concat();
    let server = [
        0, 11, 0, 24, 0, 0, 0, 1, 0, 4, 0, 16, 0, 7, 0, 0, 0, 1, 0, 8, 10, 1, 0, 1,
    ];
    let cases = [
        (
            "pool elements",
            Protocol::Asap,
            message(6, &handle, &PE, 65_532),
        ),
        (
            "pool entries",
            Protocol::Enrp,
            message(3, &route, &entry, 65_532),
        ),
        (
            "servers",
            Protocol::Enrp,
            message(6, &route, &server, 65_532),
        ),
        (
            "unknown, reported",
            Protocol::Asap,
            message(5, &handle, &[0xc0, 1, 0, 4], 65_532),
        ),
        (
            "causes",
            Protocol::Asap,
            message(14, &[0, 12, 0xff, 0xf8], &[0, 1, 0, 4], 65_532),
        ),
        ("one small", Protocol::Asap, message(5, &[], &handle, 8)),
        ("one element", Protocol::Asap, message(1, &handle, &PE, 36)),
    ];
    for (name, protocol, octets) in cases {
        let (decoding, count) = allocated(|| match protocol {
            Protocol::Asap => drop(asap::Message::decode(&octets)),
            Protocol::Enrp => drop(enrp::Message::decode(&octets)),
        });
        let (dissecting, _) = allocated(|| drop(dissect(protocol, &octets)));
        let length = octets.len();
        println!(
            "{name}: {length} octets, decode {decoding} in {count} allocations, \
             dissect {dissecting}"
        );
        assert!(decoding <= RATIO_MAX * length, "{name}: decode");
    }
    every_allocation_is_counted();
    frequent_messages_are_cheap();
}

fn every_allocation_is_counted() {
    let (octets, count) = allocated(|| drop(std::hint::black_box(vec![0_u8; 1000])));
    assert_eq!((octets, count), (1000, 1));
}

/// One allocation writes a message; a short handle needs none to be read.
fn frequent_messages_are_cheap() {
    let resolution = asap::Message::from(asap::HandleResolution {
        pool_handle: "EchoPool".into(),
        subscribe: false,
        items: Some(1),
    });
    let octets = resolution.encode();
    let (_, count) = allocated(|| drop(asap::Message::decode(&octets)));
    assert_eq!(count, 0);
    let (written, count) = allocated(|| drop(resolution.encode()));
    assert_eq!((written, count), (octets.len(), 1));

    let response = message(
        6,
        &[0, 9, 0, 8, 1, 2, 3, 4, 0, 8, 0, 8, 0, 0, 0, 1],
        &PE,
        300,
    );
    let response = asap::Message::decode(&response).expect("valid").message;
    let (written, count) = allocated(|| drop(response.encode()));
    assert_eq!((written, count), (response.encoded_len(), 1));
}
