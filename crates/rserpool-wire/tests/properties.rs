//! Whatever is written is read again and is equal; whatever arrives, nothing panics, and what is
//! read from it survives writing.

#[path = "support/arbitrary.rs"]
mod arbitrary;

use proptest::prelude::*;
use proptest::sample::Index;
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{
    CAUSE_INFORMATION_OCTETS_MAX, ERROR_CAUSES_MAX, Protocol, Undecodable, asap, dissect, enrp,
};
use std::fmt::Debug;

/// What the two `Message` types have in common.
trait Message: Sized + PartialEq + Debug + ToString {
    const PROTOCOL: Protocol;
    fn read(octets: &[u8]) -> Result<(Self, usize), Undecodable>;
    fn write(&self) -> Vec<u8>;
    fn length(&self) -> usize;
}

macro_rules! message {
    ($($message:ty = $protocol:expr),+) => {
        $(impl Message for $message {
            const PROTOCOL: Protocol = $protocol;
            fn read(octets: &[u8]) -> Result<(Self, usize), Undecodable> {
                Self::decode(octets).map(|decoded| (decoded.message, decoded.unrecognized.len()))
            }
            fn write(&self) -> Vec<u8> {
                self.encode()
            }
            fn length(&self) -> usize {
                self.encoded_len()
            }
        })+
    };
}
message!(
    asap::Message = Protocol::Asap,
    enrp::Message = Protocol::Enrp
);

/// Written, read, equal; one line; nothing shorter can be read.
fn written_is_read<M: Message>(message: &M, cut: Index) -> Result<(), TestCaseError> {
    let octets = message.write();
    prop_assert_eq!(octets.len(), message.length());
    prop_assert_eq!(octets.len() % 4, 0);
    let (read, unrecognized) = M::read(&octets).expect("whatever is written can be read");
    prop_assert_eq!(&read, message);
    prop_assert_eq!(unrecognized, 0);
    prop_assert!(!message.to_string().contains('\n'));
    prop_assert!(dissect(M::PROTOCOL, &octets).verdict.is_ok());
    prop_assert!(M::read(&octets[..cut.index(octets.len())]).is_err());
    Ok(())
}

/// Read or not, nothing panics; errors lie within the octets; reports are bounded; what is read
/// survives writing.
fn arrives<M: Message>(octets: &[u8]) -> Result<(), TestCaseError> {
    let dissection = dissect(M::PROTOCOL, octets);
    prop_assert!(
        dissection
            .fields
            .iter()
            .all(|field| field.octets.end <= octets.len())
    );
    prop_assert!(!dissection.to_string().is_empty());
    match M::read(octets) {
        Ok((message, unrecognized)) => {
            prop_assert!(unrecognized <= ERROR_CAUSES_MAX);
            prop_assert!(!message.to_string().contains('\n'));
            let again = M::read(&message.write());
            prop_assert_eq!(again.ok(), Some((message, 0)));
        }
        Err(undecodable) => {
            prop_assert!(undecodable.error.offset <= octets.len());
            prop_assert!(undecodable.report.len() <= ERROR_CAUSES_MAX);
            for cause in undecodable.report {
                let report = asap::Message::from(asap::Error {
                    error: cause.into(),
                });
                prop_assert!(report.length() <= 12 + CAUSE_INFORMATION_OCTETS_MAX);
            }
        }
    }
    Ok(())
}

/// Overwrites octets here and there, and cuts or lengthens.
fn mutate(octets: &mut Vec<u8>, mutations: &[(Index, u8)], length: Option<Index>) {
    for (place, value) in mutations {
        let place = place.index(octets.len());
        octets[place] = *value;
    }
    if let Some(length) = length {
        octets.resize(length.index(octets.len() + 8), 0);
    }
}

fn mutations() -> impl Strategy<Value = Vec<(Index, u8)>> {
    // Small numbers make lengths and types that are nearly right.
    let value = prop_oneof![0_u8..32, any::<u8>()];
    prop::collection::vec((any::<Index>(), value), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn asap_written_is_read(message in arbitrary::asap(), cut: Index) {
        written_is_read(&message, cut)?;
    }

    #[test]
    fn enrp_written_is_read(message in arbitrary::enrp(), cut: Index) {
        written_is_read(&message, cut)?;
    }

    #[test]
    fn mutated_asap_arrives(
        message in arbitrary::asap(),
        mutations in mutations(),
        length: Option<Index>,
    ) {
        let mut octets = message.encode();
        mutate(&mut octets, &mutations, length);
        arrives::<asap::Message>(&octets)?;
        arrives::<enrp::Message>(&octets)?;
    }

    #[test]
    fn mutated_enrp_arrives(
        message in arbitrary::enrp(),
        mutations in mutations(),
        length: Option<Index>,
    ) {
        let mut octets = message.encode();
        mutate(&mut octets, &mutations, length);
        arrives::<enrp::Message>(&octets)?;
        arrives::<asap::Message>(&octets)?;
    }

    #[test]
    fn anything_arrives(octets: Vec<u8>) {
        arrives::<asap::Message>(&octets)?;
        arrives::<enrp::Message>(&octets)?;
    }

    /// Values that the format has no room for are cut or replaced, and can be read all the same.
    #[test]
    fn any_pool_element_can_be_encoded(element in arbitrary::any_pool_element()) {
        let encoded = EncodedPoolElement::from(&element);
        prop_assert_eq!(encoded.as_octets().len(), element.encoded_len());
        let decoded: PoolElement = encoded.decode();
        prop_assert_eq!(EncodedPoolElement::from(&decoded), encoded);
    }
}
