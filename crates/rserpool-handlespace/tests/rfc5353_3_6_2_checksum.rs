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
