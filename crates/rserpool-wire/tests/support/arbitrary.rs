//! Arbitrary messages, for properties.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rserpool_wire::asap::{self, AnnouncedTransport};
use rserpool_wire::enrp;
use rserpool_wire::parameter::{
    Cookie, DatagramTransport, DccpTransport, EncapsulationPorts, EncodedPoolElement, ErrorCause,
    OperationError, PeChecksum, Policy, PolicyType, PoolElement, SctpTransport, ServerInformation,
    TcpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};

pub(crate) fn asap() -> impl Strategy<Value = asap::Message> {
    let registration = (handle(), pool_element()).prop_map(|(pool_handle, pool_element)| {
        asap::Registration {
            pool_handle,
            pool_element,
        }
        .into()
    });
    prop_oneof![
        registration,
        named(),
        resolution(),
        resolution_response(),
        keep_alive(),
        announce(),
        control_channel(),
        operation_error().prop_map(|error| asap::Error { error }.into()),
    ]
}

/// The messages that name one pool element.
fn named() -> impl Strategy<Value = asap::Message> {
    let error = option::of(operation_error());
    (0..5, handle(), element_id(), error, any::<bool>()).prop_map(
        |(kind, pool_handle, pool_element, error, rejected)| match kind {
            0 => asap::Deregistration {
                pool_handle,
                pool_element,
            }
            .into(),
            1 => asap::RegistrationResponse {
                pool_handle,
                pool_element,
                result: if rejected { Err(error) } else { Ok(error) },
            }
            .into(),
            2 => asap::DeregistrationResponse {
                pool_handle,
                pool_element,
                error,
            }
            .into(),
            3 => asap::EndpointKeepAliveAck {
                pool_handle,
                pool_element,
            }
            .into(),
            _ => asap::EndpointUnreachable {
                pool_handle,
                pool_element,
            }
            .into(),
        },
    )
}

fn resolution() -> impl Strategy<Value = asap::Message> {
    (handle(), any::<bool>(), option::of(1..=u32::MAX)).prop_map(
        |(pool_handle, subscribe, items)| {
            asap::HandleResolution {
                pool_handle,
                subscribe,
                items,
            }
            .into()
        },
    )
}

fn resolution_response() -> impl Strategy<Value = asap::Message> {
    let resolution =
        (policy(), vec(encoded(), 1..6)).prop_map(|(policy, pool_elements)| asap::Resolution {
            policy,
            pool_elements,
        });
    let result = prop_oneof![resolution.prop_map(Ok), operation_error().prop_map(Err)];
    (handle(), any::<bool>(), result).prop_map(|(pool_handle, updates_accepted, result)| {
        asap::HandleResolutionResponse {
            pool_handle,
            updates_accepted,
            result,
        }
        .into()
    })
}

fn keep_alive() -> impl Strategy<Value = asap::Message> {
    (
        registrar(),
        any::<bool>(),
        handle(),
        option::of(element_id()),
    )
        .prop_map(|(registrar, home, pool_handle, pool_element)| {
            asap::EndpointKeepAlive {
                registrar,
                home,
                pool_handle,
                pool_element,
            }
            .into()
        })
}

/// TCP before SCTP, the order in which they are written.
fn announce() -> impl Strategy<Value = asap::Message> {
    let tcp = vec(tcp().prop_map(AnnouncedTransport::Tcp), 0..3);
    let sctp = vec(sctp().prop_map(AnnouncedTransport::Sctp), 0..3);
    (registrar(), tcp, sctp, ports()).prop_map(|(registrar, tcp, sctp, encapsulation_ports)| {
        asap::ServerAnnounce {
            registrar,
            transports: [tcp, sctp].concat(),
            encapsulation_ports,
        }
        .into()
    })
}

fn control_channel() -> impl Strategy<Value = asap::Message> {
    let cookie = || vec(any::<u8>(), 0..100).prop_map(Cookie);
    let card = (handle(), vec(encoded(), 0..4)).prop_map(|(pool_handle, pool_elements)| {
        asap::BusinessCard {
            pool_handle,
            pool_elements,
        }
        .into()
    });
    prop_oneof![
        cookie().prop_map(|cookie| asap::Cookie { cookie }.into()),
        cookie().prop_map(|cookie| asap::CookieEcho { cookie }.into()),
        card,
    ]
}

pub(crate) fn enrp() -> impl Strategy<Value = enrp::Message> {
    prop_oneof![presence(), handle_table(), handle_update(), routed()]
}

fn presence() -> impl Strategy<Value = enrp::Message> {
    let checksum = option::of(any::<u16>().prop_map(PeChecksum));
    let information = option::of(server_information());
    (route(), any::<bool>(), checksum, information).prop_map(
        |((sender, receiver), reply_required, checksum, server_information)| {
            enrp::Presence {
                sender,
                receiver,
                reply_required,
                checksum,
                server_information,
            }
            .into()
        },
    )
}

fn handle_table() -> impl Strategy<Value = enrp::Message> {
    let entry =
        (handle(), vec(encoded(), 1..4)).prop_map(|(pool_handle, pool_elements)| enrp::PoolEntry {
            pool_handle,
            pool_elements,
        });
    let table = (any::<bool>(), vec(entry, 0..4)).prop_map(|(more_to_send, pool_entries)| {
        enrp::HandleTable {
            more_to_send,
            pool_entries,
        }
    });
    let result = prop_oneof![table.prop_map(Ok), Just(Err(enrp::Rejected))];
    (route(), result).prop_map(|((sender, receiver), result)| {
        enrp::HandleTableResponse {
            sender,
            receiver,
            result,
        }
        .into()
    })
}

fn handle_update() -> impl Strategy<Value = enrp::Message> {
    let action = prop_oneof![
        Just(enrp::UpdateAction::Add),
        Just(enrp::UpdateAction::Delete)
    ];
    (route(), action, handle(), encoded()).prop_map(
        |((sender, receiver), action, pool_handle, pool_element)| {
            enrp::HandleUpdate {
                sender,
                receiver,
                action,
                pool_handle,
                pool_element,
            }
            .into()
        },
    )
}

/// The messages with nothing but identifiers, with servers, and with errors.
fn routed() -> impl Strategy<Value = enrp::Message> {
    let list = prop_oneof![
        vec(server_information(), 0..4).prop_map(Ok),
        Just(Err(enrp::Rejected))
    ];
    (
        0..7,
        route(),
        registrar(),
        any::<bool>(),
        list,
        operation_error(),
    )
        .prop_map(
            |(kind, (sender, receiver), target, own_children_only, result, error)| match kind {
                0 => enrp::HandleTableRequest {
                    sender,
                    receiver,
                    own_children_only,
                }
                .into(),
                1 => enrp::ListRequest { sender, receiver }.into(),
                2 => enrp::ListResponse {
                    sender,
                    receiver,
                    result,
                }
                .into(),
                3 => enrp::InitTakeover {
                    sender,
                    receiver,
                    target,
                }
                .into(),
                4 => enrp::InitTakeoverAck {
                    sender,
                    receiver,
                    target,
                }
                .into(),
                5 => enrp::TakeoverServer {
                    sender,
                    receiver,
                    target,
                }
                .into(),
                _ => enrp::Error {
                    sender,
                    receiver,
                    error,
                }
                .into(),
            },
        )
}

fn pool_element() -> impl Strategy<Value = PoolElement> {
    let life = prop_oneof![
        (0..=0x7fff_ffff_u32).prop_map(RegistrationLife::Seconds),
        Just(RegistrationLife::Infinite)
    ];
    let home = option::of(registrar());
    let asap = option::of(sctp());
    (
        element_id(),
        home,
        life,
        transport(),
        policy(),
        asap,
        ports(),
    )
        .prop_map(
            |(
                id,
                home_registrar,
                registration_life,
                user_transport,
                policy,
                asap_transport,
                encapsulation_ports,
            )| PoolElement {
                id,
                home_registrar,
                registration_life,
                user_transport,
                policy,
                asap_transport,
                encapsulation_ports,
            },
        )
}

/// Also with what cannot be sent as it is.
pub(crate) fn any_pool_element() -> impl Strategy<Value = PoolElement> {
    let other =
        (any::<u32>(), 0..3_u32, vec(any::<u8>(), 0..2000)).prop_map(|(number, small, data)| {
            Policy::Other {
                policy_type: PolicyType(if small > 0 { small - 1 } else { number }),
                data: data.into(),
            }
        });
    let crowded =
        (any::<u16>(), vec(any::<IpAddr>(), 0..200)).prop_map(|(port, addresses)| SctpTransport {
            port,
            transport_use: TransportUse::DATA_ONLY,
            addresses,
        });
    let opaque = vec(any::<u8>(), 0..2000).prop_map(UserTransport::Opaque);
    (
        pool_element(),
        other,
        crowded,
        opaque,
        any::<u32>(),
        any::<bool>(),
    )
        .prop_map(
            |(element, policy, crowded, opaque, life, is_opaque)| PoolElement {
                policy,
                registration_life: RegistrationLife::Seconds(life),
                user_transport: if is_opaque {
                    opaque
                } else {
                    UserTransport::Sctp(crowded.clone())
                },
                asap_transport: Some(crowded),
                ..element
            },
        )
}

fn encoded() -> impl Strategy<Value = EncodedPoolElement> {
    pool_element().prop_map(|element| EncodedPoolElement::from(&element))
}

fn policy() -> impl Strategy<Value = Policy> {
    (0..10, any::<u32>(), any::<u32>(), vec(any::<u8>(), 0..40)).prop_map(
        |(kind, load, degradation, data)| match kind {
            0 => Policy::RoundRobin,
            1 => Policy::WeightedRoundRobin { weight: load },
            2 => Policy::Random,
            3 => Policy::WeightedRandom { weight: load },
            4 => Policy::Priority { priority: load },
            5 => Policy::LeastUsed { load },
            6 => Policy::LeastUsedWithDegradation { load, degradation },
            7 => Policy::PriorityLeastUsed { load, degradation },
            8 => Policy::RandomizedLeastUsed { load },
            _ => Policy::Other {
                policy_type: PolicyType(load | 0x8000_0000),
                data: data.into(),
            },
        },
    )
}

fn transport() -> impl Strategy<Value = UserTransport> {
    let datagram = || {
        (any::<u16>(), any::<IpAddr>())
            .prop_map(|(port, address)| DatagramTransport { port, address })
    };
    let dccp =
        (any::<u16>(), any::<u32>(), any::<IpAddr>()).prop_map(|(port, service_code, address)| {
            DccpTransport {
                port,
                service_code,
                address,
            }
        });
    prop_oneof![
        4 => sctp().prop_map(UserTransport::Sctp),
        1 => tcp().prop_map(UserTransport::Tcp),
        1 => datagram().prop_map(UserTransport::Udp),
        1 => datagram().prop_map(UserTransport::UdpLite),
        1 => dccp.prop_map(UserTransport::Dccp),
        1 => vec(any::<u8>(), 0..40).prop_map(UserTransport::Opaque),
    ]
}

fn sctp() -> impl Strategy<Value = SctpTransport> {
    (any::<u16>(), any::<u16>(), vec(any::<IpAddr>(), 1..5)).prop_map(
        |(port, transport_use, addresses)| SctpTransport {
            port,
            transport_use: TransportUse(transport_use),
            addresses,
        },
    )
}

fn tcp() -> impl Strategy<Value = TcpTransport> {
    (any::<u16>(), any::<IpAddr>()).prop_map(|(port, address)| TcpTransport { port, address })
}

fn ports() -> impl Strategy<Value = EncapsulationPorts> {
    let port = || option::of(any::<NonZeroU16>());
    (port(), port()).prop_map(|(user, asap)| EncapsulationPorts { user, asap })
}

fn server_information() -> impl Strategy<Value = ServerInformation> {
    (registrar(), sctp(), ports()).prop_map(|(registrar, transport, encapsulation_ports)| {
        ServerInformation {
            registrar,
            transport,
            encapsulation_ports,
        }
    })
}

fn operation_error() -> impl Strategy<Value = OperationError> {
    vec(cause(), 0..4).prop_map(|causes| OperationError { causes })
}

fn cause() -> impl Strategy<Value = ErrorCause> {
    let octets = || vec(any::<u8>(), 0..40);
    prop_oneof![
        Just(ErrorCause::Unspecified),
        octets().prop_map(ErrorCause::UnrecognizedParameter),
        octets().prop_map(ErrorCause::UnrecognizedMessage),
        octets().prop_map(ErrorCause::InvalidValues),
        Just(ErrorCause::NonUniquePoolElementIdentifier),
        option::of(policy()).prop_map(ErrorCause::InconsistentPoolPolicy),
        Just(ErrorCause::LackOfResources),
        option::of(transport()).prop_map(ErrorCause::InconsistentTransportType),
        Just(ErrorCause::InconsistentDataControlConfiguration),
        Just(ErrorCause::UnknownPoolHandle),
        Just(ErrorCause::RejectedDueToSecurity),
        (0xb..=u16::MAX, octets())
            .prop_map(|(code, information)| ErrorCause::Other { code, information }),
    ]
}

fn handle() -> impl Strategy<Value = PoolHandle> {
    vec(any::<u8>(), 0..60).prop_map(|octets| PoolHandle::new(&octets))
}

fn element_id() -> impl Strategy<Value = PoolElementId> {
    any::<u32>().prop_map(PoolElementId)
}

fn registrar() -> impl Strategy<Value = RegistrarId> {
    any::<NonZeroU32>().prop_map(RegistrarId)
}

fn route() -> impl Strategy<Value = (RegistrarId, Option<RegistrarId>)> {
    (registrar(), option::of(registrar()))
}
