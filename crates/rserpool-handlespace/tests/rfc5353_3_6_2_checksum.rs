//! PE checksum (RFC 5353 §3.6.2): the incremental one against RFC 1071 from scratch.

mod common;

use common::{element, handlespace, id, registrar, scramble};
use rserpool_handlespace::Handlespace;
use rserpool_wire::parameter::{PeChecksum, Policy, PoolElement};
use rserpool_wire::{PoolHandle, RegistrarId};

/// RFC 1071 §4.1 over the byte blocks of all pool elements that this registrar owns.
fn from_scratch(handlespace: &Handlespace<()>, owner: RegistrarId) -> PeChecksum {
    let mut octets = Vec::new();
    let owned = handlespace
        .elements_after(None)
        .filter(|element| element.home == Some(owner));
    for element in owned {
        octets.extend_from_slice(element.pool_handle.as_octets());
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets.extend_from_slice(&element.id.0.to_be_bytes());
    }
    let mut sum: u32 = 0;
    for word in octets.chunks(2) {
        sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    PeChecksum(!u16::try_from(sum).expect("folded"))
}

#[test]
fn the_empty_set_has_checksum_0xffff() {
    let handlespace = handlespace();
    assert_eq!(handlespace.checksum(registrar(1)), PeChecksum(0xffff));
}

#[test]
fn the_handle_is_padded_to_32_bits_and_the_identifier_follows() {
    let mut handlespace = handlespace();
    let handle = PoolHandle::from("abcde");
    let element = element(0x0102_0304, Policy::RoundRobin);
    handlespace.register(&handle, &element, ()).unwrap();
    let sum = 0x6162 + 0x6364 + 0x6500 + 0x0102 + 0x0304;
    let folded = (sum & 0xffff) + (sum >> 16);
    assert_eq!(
        handlespace.checksum(registrar(1)),
        PeChecksum(!u16::try_from(folded).unwrap())
    );
    assert_eq!(handlespace.checksum(registrar(2)), PeChecksum(0xffff));
}

#[test]
fn it_equals_rfc_1071_at_any_count() {
    let mut handlespace = handlespace();
    let mut count = 0;
    for goal in [1, 100, 20_000, 50_000] {
        while count < goal {
            let handle = PoolHandle::new(&vec![b'x'; count % 40]);
            let element = element(scramble(count), Policy::RoundRobin);
            handlespace.register(&handle, &element, ()).unwrap();
            count += 1;
        }
        let expected = from_scratch(&handlespace, registrar(1));
        assert_eq!(handlespace.checksum(registrar(1)), expected, "at {goal}");
    }
}

#[test]
fn it_follows_additions_moves_and_removals() {
    let mut handlespace = handlespace();
    for step in 0..20_000 {
        let random = scramble(step);
        let handle = PoolHandle::new(&vec![b'x'; (random % 7) as usize]);
        let number = random >> 8 & 0xff;
        if random >> 16 & 3 == 0 {
            if let Some(key) = handlespace.find(&handle, id(number)) {
                handlespace.deregister(key).unwrap();
            }
        } else {
            let element = PoolElement {
                home_registrar: RegistrarId::new(random >> 20 & 3),
                ..element(number, Policy::RoundRobin)
            };
            handlespace.register(&handle, &element, ()).unwrap();
        }
        if step % 1_000 == 999 {
            handlespace.check_invariants();
            for owner in [1, 2, 3].map(registrar) {
                assert_eq!(
                    handlespace.checksum(owner),
                    from_scratch(&handlespace, owner)
                );
            }
        }
    }
}

#[test]
fn policy_transport_and_life_are_not_part_of_it() {
    let mut handlespace = handlespace();
    let handle = common::handle();
    let register = |handlespace: &mut Handlespace<()>, load| {
        let element = element(1, Policy::LeastUsed { load });
        handlespace.register(&handle, &element, ()).unwrap();
        handlespace.checksum(registrar(1))
    };
    assert_eq!(register(&mut handlespace, 1), register(&mut handlespace, 2));
}

/// What is known of rsplib's checksum from outside: octets of a message that it sends for one pool
/// element, and that it is RFC 1071's up to 20,000 pool elements.
#[test]
fn rsplibs_is_the_same_up_to_twenty_thousand() {
    let mut handlespace = handlespace();
    assert_eq!(
        handlespace.rsplib_checksum(registrar(1)),
        PeChecksum(0xffff)
    );
    let handle = PoolHandle::from("EchoPool");
    let one = element(0x56c3_491e, Policy::RoundRobin);
    handlespace.register(&handle, &one, ()).unwrap();
    // 0101002c 98d3fe06 12345678 000f0006 f26f0000 …
    assert_eq!(handlespace.checksum(registrar(1)), PeChecksum(0xf26f));
    assert_eq!(
        handlespace.rsplib_checksum(registrar(1)),
        PeChecksum(0xf26f)
    );
    for count in 1..20_000 {
        let element = element(scramble(count), Policy::RoundRobin);
        handlespace.register(&handle, &element, ()).unwrap();
        if count % 1_000 == 0 {
            let (ours, rsplibs) = (
                handlespace.checksum(registrar(1)),
                handlespace.rsplib_checksum(registrar(1)),
            );
            assert_eq!(ours, rsplibs, "at {count}");
        }
    }
}

/// At 50,000 rsplib said 0xca78 where RFC 1071 says 0xc878: two carries were lost, each of which
/// is 0x0100 as the checksum is sent. Which pool elements those were is not known; a handle of
/// twelve octets loses two carries, too.
#[test]
fn at_fifty_thousand_rsplib_has_lost_two_carries() {
    let mut handlespace = handlespace();
    let handle = PoolHandle::from("EchoPoolzzzz");
    let lost = |handlespace: &Handlespace<()>| {
        let rsplibs = handlespace.rsplib_checksum(registrar(1)).0;
        rsplibs.wrapping_sub(handlespace.checksum(registrar(1)).0)
    };
    for count in 0..50_000 {
        let element = element(count, Policy::RoundRobin);
        handlespace.register(&handle, &element, ()).unwrap();
    }
    assert_eq!(0xca78 - 0xc878, 0x0200);
    assert_eq!(lost(&handlespace), 0x0200);
    // Removals bring them back: the accumulator is a sum modulo 2^32, in whatever order.
    let keys: Vec<_> = handlespace.elements_of(&handle).skip(20_000).collect();
    for key in keys {
        handlespace.deregister(key).unwrap();
    }
    assert_eq!(lost(&handlespace), 0);
}
