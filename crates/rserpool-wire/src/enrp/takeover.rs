//! What the three messages of a takeover have in common: they name the registrar that is taken over
//! (RFC 5353 §2.7, §2.8, §2.9).

/// Reading, writing and showing a message of sender, receiver and target.
macro_rules! takeover_message {
    ($message:ident, $name:literal, $number:literal) => {
        impl $message {
            /// The name in the RFC.
            pub const NAME: &str = $name;
            /// The number in the Message Type field.
            pub const TYPE: u8 = $number;

            pub(crate) fn read<'a>(
                _header: crate::message::Header,
                reader: &mut crate::reader::Reader<'a>,
                unrecognized: &mut crate::unrecognized::Unrecognized,
            ) -> Result<Self, crate::error::Fault<'a>> {
                let route = super::route::Route::read(reader)?;
                let target = RegistrarId::read(reader)?;
                unrecognized.rest(reader)?;
                Ok(Self {
                    sender: route.sender,
                    receiver: route.receiver,
                    target,
                })
            }

            pub(crate) fn write<S: crate::writer::Sink>(
                &self,
                writer: &mut crate::writer::Writer<'_, S>,
            ) {
                writer.message(Self::TYPE, 0, |w| {
                    super::route::Route::new(self.sender, self.receiver).write(w);
                    RegistrarId::write(Some(self.target), w);
                });
            }
        }

        impl core::fmt::Display for $message {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let (name, target) = (Self::NAME, self.target);
                let route = super::route::Route::new(self.sender, self.receiver);
                write!(f, "{name} {route} target {target}")
            }
        }
    };
}
pub(super) use takeover_message;

#[cfg(test)]
mod tests {
    use crate::{DecodeErrorKind, test_support::*};

    #[test]
    fn the_target_is_demanded() {
        for number in ["07", "08", "09"] {
            let zero = alloc::format!("{number}000010 12345678 aabbccdd 00000000");
            let error = enrp_error(&zero);
            assert_eq!(
                (error.offset, error.kind),
                (12, DecodeErrorKind::ZeroRegistrarId)
            );
            let error = enrp_error(&alloc::format!("{number}00000c 12345678 aabbccdd"));
            assert_eq!(
                (error.offset, error.kind),
                (12, DecodeErrorKind::Incomplete)
            );
        }
    }
}
