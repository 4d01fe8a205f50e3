//! Parameter types ([RFC 5354 §3](https://www.rfc-editor.org/rfc/rfc5354#section-3)).

use core::fmt;

/// A parameter type: a number of which some are named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ParameterType(pub u16);

/// The one list of parameters this crate knows.
macro_rules! parameter_types {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)+) => {
        impl ParameterType {
            $($(#[$doc])* pub const $constant: Self = Self($number);)+

            /// The parameter's name, if this crate knows it.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    _ => None,
                }
            }

            /// The name of the parameter as a whole, where one of its fields has the same name.
            pub(crate) fn title(self) -> &'static str {
                match self {
                    $(Self::$constant => concat!($name, " parameter"),)+
                    _ => "Unknown parameter",
                }
            }
        }
    };
}

parameter_types! {
    /// IPv4 Address (RFC 5354 §3.1).
    IPV4_ADDRESS = 0x0001, "IPv4 Address";
    /// IPv6 Address (RFC 5354 §3.2).
    IPV6_ADDRESS = 0x0002, "IPv6 Address";
    /// DCCP Transport (RFC 5354 §3.3).
    DCCP_TRANSPORT = 0x0003, "DCCP Transport";
    /// SCTP Transport (RFC 5354 §3.4).
    SCTP_TRANSPORT = 0x0004, "SCTP Transport";
    /// TCP Transport (RFC 5354 §3.5).
    TCP_TRANSPORT = 0x0005, "TCP Transport";
    /// UDP Transport (RFC 5354 §3.6).
    UDP_TRANSPORT = 0x0006, "UDP Transport";
    /// UDP-Lite Transport (RFC 5354 §3.7).
    UDP_LITE_TRANSPORT = 0x0007, "UDP-Lite Transport";
    /// Pool Member Selection Policy (RFC 5354 §3.8).
    POLICY = 0x0008, "Pool Member Selection Policy";
    /// Pool Handle (RFC 5354 §3.9).
    POOL_HANDLE = 0x0009, "Pool Handle";
    /// Pool Element (RFC 5354 §3.10).
    POOL_ELEMENT = 0x000a, "Pool Element";
    /// Server Information (RFC 5354 §3.11).
    SERVER_INFORMATION = 0x000b, "Server Information";
    /// Operation Error (RFC 5354 §3.12).
    OPERATION_ERROR = 0x000c, "Operation Error";
    /// Cookie (RFC 5354 §3.13).
    COOKIE = 0x000d, "Cookie";
    /// PE Identifier (RFC 5354 §3.14).
    PE_IDENTIFIER = 0x000e, "PE Identifier";
    /// PE Checksum (RFC 5354 §3.15).
    PE_CHECKSUM = 0x000f, "PE Checksum";
    /// Opaque Transport (RFC 5354 §3.16).
    OPAQUE_TRANSPORT = 0x0010, "Opaque Transport";
    /// How many pool elements are wanted (draft-dreibholz-rserpool-asap-hropt).
    ITEM_COUNT = 0x803f, "Item Count";
    /// UDP encapsulation ports (ours, private use).
    ENCAPSULATION_PORTS = 0x9899, "Encapsulation Ports";
}

impl ParameterType {
    /// Whether this crate knows what the parameter means.
    pub fn is_known(self) -> bool {
        self.name().is_some()
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names() {
        assert_eq!(ParameterType::POOL_ELEMENT.to_string(), "Pool Element");
        assert_eq!(ParameterType(0x803f).to_string(), "Item Count");
        assert_eq!(ParameterType(0x003f).to_string(), "0x003f");
        assert!(ParameterType(0x0010).is_known());
        assert!(!ParameterType(0x0000).is_known());
        assert!(!ParameterType(0x0011).is_known());
        assert!(!ParameterType(0xffff).is_known());
    }
}
