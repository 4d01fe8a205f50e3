//! The check that both protocols share.

/// Octets as a message of a protocol: nothing panics, and what is read survives writing.
macro_rules! round_trip {
    ($octets:expr, $protocol:expr, $message:ty) => {
        assert!(
            !rserpool_wire::dissect($protocol, $octets)
                .to_string()
                .is_empty()
        );
        match <$message>::decode($octets) {
            Ok(decoded) => {
                let written = decoded.message.encode();
                assert_eq!(written.len(), decoded.message.encoded_len());
                let again = <$message>::decode(&written).expect("whatever is written can be read");
                assert_eq!(again.message, decoded.message);
                assert_eq!(again.unrecognized, []);
                assert!(!decoded.message.to_string().contains('\n'));
            }
            Err(undecodable) => assert!(undecodable.error.offset <= $octets.len()),
        }
    };
}
pub(crate) use round_trip;
