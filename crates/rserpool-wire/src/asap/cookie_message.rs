//! What the two messages that carry a cookie have in common (RFC 5352 §2.2.11, §2.2.12).

/// Reading, writing and showing a message of one cookie.
macro_rules! cookie_message {
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
                const COOKIE: parameter::ParameterType = parameter::ParameterType::COOKIE;
                let mut cookie = None;
                while let Some(inner) = reader.parameter()? {
                    match inner.kind {
                        COOKIE if cookie.is_none() => {
                            cookie = Some(parameter::Cookie::read(&inner)?);
                        }
                        _ => unrecognized.parameter(&inner)?,
                    }
                }
                Ok(Self {
                    cookie: reader.required(cookie, COOKIE)?,
                })
            }

            pub(crate) fn write<S: crate::writer::Sink>(
                &self,
                writer: &mut crate::writer::Writer<'_, S>,
            ) {
                writer.message(Self::TYPE, 0, |w| self.cookie.write(w));
            }
        }

        impl core::fmt::Display for $message {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{} {}", Self::NAME, self.cookie)
            }
        }
    };
}
pub(super) use cookie_message;
