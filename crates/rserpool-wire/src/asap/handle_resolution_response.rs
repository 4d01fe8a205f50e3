//! ASAP_HANDLE_RESOLUTION_RESPONSE
//! ([RFC 5352 §2.2.6](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.6)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x06  │      0      │A│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊        Overall Pool Member Selection Policy (optional)        ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      Pool Element #1 … #n                     ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      or: Operation Error                      ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::PoolHandle;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{EncodedPoolElement, OperationError, ParameterType, Policy};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Length, Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The answer to a handle resolution, or an update of it (RFC 5352 §2.2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleResolutionResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// A bit: updates will follow.
    pub updates_accepted: bool,
    /// The pool elements, or why there are none.
    pub result: Result<Resolution, OperationError>,
}

/// What a pool handle resolves to (RFC 5352 §2.2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The pool's overall policy; Round Robin where the response names none.
    pub policy: Policy,
    /// At least one, in the order in which they should be tried. Those are sent that fit into the
    /// [room](HandleResolutionResponse::room) of one message.
    pub pool_elements: Vec<EncodedPoolElement>,
}

impl HandleResolutionResponse {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_HANDLE_RESOLUTION_RESPONSE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x06;
    /// A: updates are accepted.
    const ACCEPT: u8 = 0x01;

    /// How many octets of pool elements fit into a response that names this pool and policy.
    pub fn room(pool_handle: &PoolHandle, policy: &Policy) -> usize {
        let mut length = Length::default();
        let mut room = 0;
        Writer::new(&mut length).message(Self::TYPE, 0, |w| {
            pool_handle.write(w);
            policy.write(w);
            room = w.room();
        });
        room
    }

    /// An error anywhere makes the response negative, whatever else is there. The policy is that
    /// of the message: those within the pool elements say nothing about the pool.
    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut pool_handle = None;
        let mut policy = None;
        let mut pool_elements = Vec::new();
        let mut error = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::POLICY if policy.is_none() => {
                    policy = Some(Policy::read(&parameter)?);
                }
                ParameterType::POOL_ELEMENT => {
                    pool_elements.push(EncodedPoolElement::read(&parameter, unrecognized)?);
                }
                ParameterType::OPERATION_ERROR if error.is_none() => {
                    error = Some(OperationError::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        let result = match error {
            Some(error) => Err(error),
            None => {
                let at_least_one = (!pool_elements.is_empty()).then_some(pool_elements);
                Ok(Resolution {
                    policy: policy.unwrap_or(Policy::RoundRobin),
                    pool_elements: reader.required(at_least_one, ParameterType::POOL_ELEMENT)?,
                })
            }
        };
        Ok(Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            updates_accepted: header.has(Self::ACCEPT),
            result,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.updates_accepted {
            Self::ACCEPT
        } else {
            0
        };
        writer.message(Self::TYPE, flags, |w| {
            self.pool_handle.write(w);
            match &self.result {
                Ok(resolution) => {
                    resolution.policy.write(w);
                    EncodedPoolElement::write_all(&resolution.pool_elements, w);
                }
                Err(error) => error.write(w),
            }
        });
    }
}

impl fmt::Display for HandleResolutionResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} pool {} ", self.pool_handle)?;
        match &self.result {
            Ok(resolution) => resolution.fmt(f)?,
            Err(error) => write!(f, "failed: {error}")?,
        }
        if self.updates_accepted {
            f.write_str(" [A]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)?;
        self.pool_elements
            .iter()
            .try_for_each(|element| write!(f, ", {element}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{ErrorCause, PoolElement, TransportUse, UserTransport};
    use crate::test_support::*;
    use crate::{DecodeErrorKind, PoolElementId, asap};
    use alloc::string::ToString;
    use alloc::vec;

    fn positive(policy: Policy, elements: &[PoolElement]) -> HandleResolutionResponse {
        HandleResolutionResponse {
            pool_handle: echo_pool(),
            updates_accepted: false,
            result: Ok(Resolution {
                policy,
                pool_elements: elements.iter().map(EncodedPoolElement::from).collect(),
            }),
        }
    }

    fn element_with_home() -> PoolElement {
        PoolElement {
            home_registrar: Some(registrar(0x98d3_fe06)),
            ..element()
        }
    }

    #[test]
    fn octets_and_value() {
        let message = positive(
            Policy::WeightedRoundRobin { weight: 2 },
            &[element_with_home()],
        );
        assert_eq!(
            message.to_string(),
            "ASAP_HANDLE_RESOLUTION_RESPONSE pool EchoPool weighted-round-robin weight 2, \
             pe 0x56c3491e home 0x98d3fe06 life 90000s \
             sctp 50000 10.1.0.1,2001:db8::1 data+control weighted-round-robin weight 2"
        );
        asap_both_ways(
            "0600005c 0009000c 4563686f 506f6f6c 0008000c 00000002 00000002
             000a0040 56c3491e 98d3fe06 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002",
            message,
        );
    }

    #[test]
    fn unknown_pool() {
        let message = HandleResolutionResponse {
            pool_handle: "NoSuchPool".into(),
            updates_accepted: false,
            result: Err(ErrorCause::UnknownPoolHandle.into()),
        };
        asap_both_ways(
            "0600001c 0009000e 4e6f5375 6368506f 6f6c0000 000c0008 00090004",
            message,
        );
    }

    /// From a running rsplib registrar.
    #[test]
    fn captured() {
        let element = PoolElement {
            id: PoolElementId(0x75f5_e57c),
            home_registrar: Some(registrar(0xf48c_1523)),
            user_transport: UserTransport::Sctp(sctp(
                0x8df6,
                TransportUse::DATA_PLUS_CONTROL,
                &["10.1.0.1", "10.2.0.1"],
            )),
            policy: Policy::RoundRobin,
            ..element()
        };
        asap_both_ways(
            "06000048 0009000c 4563686f 506f6f6c 00080008 00000001
             000a0030 75f5e57c f48c1523 00015f90
             00040018 8df60001 00010008 0a010001 00010008 0a020001 00080008 00000001",
            positive(Policy::RoundRobin, &[element]),
        );
    }

    /// RFC 5352 §2.2.6: Round Robin is assumed, whatever the pool elements say.
    #[test]
    fn no_policy_means_round_robin() {
        asap_reads(
            "06000050 0009000c 4563686f 506f6f6c
             000a0040 56c3491e 98d3fe06 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002",
            positive(Policy::RoundRobin, &[element_with_home()]),
        );
    }

    /// RFC 5352 §2.2.6: the presence of an error makes the response negative.
    #[test]
    fn an_error_after_pool_elements_counts() {
        let mut message = positive(Policy::RoundRobin, &[]);
        message.updates_accepted = true;
        message.result = Err(ErrorCause::LackOfResources.into());
        asap_reads(
            "06010058 0009000c 4563686f 506f6f6c
             000a0040 56c3491e 98d3fe06 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002
             000c0008 00060004",
            message,
        );
    }

    #[test]
    fn a_positive_response_has_a_pool_element() {
        let missing = DecodeErrorKind::MissingParameter(ParameterType::POOL_ELEMENT);
        assert_eq!(
            asap_error("06000018 0009000c 4563686f 506f6f6c 00080008 00000001").kind,
            missing
        );
    }

    #[test]
    fn a_thousand_pool_elements_and_as_many_as_fit() {
        let small = PoolElement {
            user_transport: UserTransport::Opaque(vec![]),
            policy: Policy::RoundRobin,
            ..element()
        };
        let octets = EncodedPoolElement::from(&small).as_octets().len();
        let fit = HandleResolutionResponse::room(&echo_pool(), &Policy::RoundRobin) / octets;
        assert_eq!(fit, 2339);
        for (given, sent) in [(1000, 1000), (fit, fit), (fit + 1, fit), (5000, fit)] {
            let elements = |count| (0..count).map(|_| small.clone()).collect::<Vec<_>>();
            let message = positive(Policy::RoundRobin, &elements(given));
            let octets = asap::Message::from(message).encode();
            let decoded = asap::Message::decode(&octets).unwrap().message;
            assert_eq!(
                decoded,
                positive(Policy::RoundRobin, &elements(sent)).into()
            );
        }
    }
}
