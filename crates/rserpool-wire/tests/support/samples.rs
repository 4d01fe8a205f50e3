//! One of every message, with every parameter, policy and error cause that we ever send.

use rserpool_wire::asap::{self, AnnouncedTransport};
use rserpool_wire::enrp;
use rserpool_wire::parameter::{
    Cookie, DatagramTransport, DccpTransport, EncapsulationPorts, EncodedPoolElement, ErrorCause,
    OperationError, PeChecksum, Policy, PolicyType, PoolElement, SctpTransport, ServerInformation,
    TcpTransport, TransportUse, UserTransport,
};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::net::IpAddr;
use std::num::NonZeroU16;

pub(crate) const PE: PoolElementId = PoolElementId(0x56c3_491e);

pub(crate) fn asap() -> Vec<asap::Message> {
    let mut messages: Vec<asap::Message> = Vec::new();
    for element in elements() {
        messages.push(
            asap::Registration {
                pool_handle: pool(),
                pool_element: element,
            }
            .into(),
        );
    }
    messages.extend(responses());
    messages.extend(resolutions());
    messages.extend(keep_alives());
    messages.extend(announces());
    messages.extend(control_channel());
    messages.extend(causes().into_iter().map(|cause| {
        asap::Message::from(asap::Error {
            error: cause.into(),
        })
    }));
    messages.push(
        asap::Error {
            error: two_causes(),
        }
        .into(),
    );
    messages
}

pub(crate) fn enrp() -> Vec<enrp::Message> {
    let mut messages: Vec<enrp::Message> = Vec::new();
    messages.extend(presences());
    messages.extend(handle_tables());
    for action in [enrp::UpdateAction::Add, enrp::UpdateAction::Delete] {
        messages.push(
            enrp::HandleUpdate {
                sender: registrar(1),
                receiver: Some(registrar(2)),
                action,
                pool_handle: pool(),
                pool_element: EncodedPoolElement::from(&element_at_home()),
            }
            .into(),
        );
    }
    messages.extend(lists());
    messages.extend(takeovers());
    messages.push(
        enrp::Error {
            sender: registrar(1),
            receiver: Some(registrar(2)),
            error: two_causes(),
        }
        .into(),
    );
    messages
}

fn responses() -> Vec<asap::Message> {
    let results = [
        Ok(None),
        Ok(Some(ErrorCause::Unspecified.into())),
        Err(None),
        Err(Some(
            ErrorCause::InconsistentPoolPolicy(Some(Policy::Random)).into(),
        )),
    ];
    let mut messages: Vec<asap::Message> = Vec::new();
    for result in results {
        messages.push(
            asap::RegistrationResponse {
                pool_handle: pool(),
                pool_element: PE,
                result,
            }
            .into(),
        );
    }
    messages.push(
        asap::Deregistration {
            pool_handle: pool(),
            pool_element: PE,
        }
        .into(),
    );
    for error in [None, Some(ErrorCause::RejectedDueToSecurity.into())] {
        messages.push(
            asap::DeregistrationResponse {
                pool_handle: pool(),
                pool_element: PE,
                error,
            }
            .into(),
        );
    }
    messages
}

fn resolutions() -> Vec<asap::Message> {
    let requests = [
        (false, None),
        (true, None),
        (false, Some(3)),
        (true, Some(7)),
    ];
    let mut messages: Vec<asap::Message> = Vec::new();
    for (pool_handle, (subscribe, items)) in [pool(), padded_pool()].iter().cycle().zip(requests) {
        messages.push(
            asap::HandleResolution {
                pool_handle: pool_handle.clone(),
                subscribe,
                items,
            }
            .into(),
        );
    }
    for policy in policies() {
        messages.push(resolved(pool(), policy.clone(), &[with_policy(policy)]).into());
    }
    let three: Vec<PoolElement> = (1..=3).map(numbered).collect();
    messages.push(resolved(padded_pool(), Policy::RoundRobin, &three).into());
    for updates_accepted in [false, true] {
        messages.push(
            asap::HandleResolutionResponse {
                pool_handle: padded_pool(),
                updates_accepted,
                result: Err(ErrorCause::UnknownPoolHandle.into()),
            }
            .into(),
        );
    }
    messages
}

fn keep_alives() -> Vec<asap::Message> {
    let keep_alive = |home, pool_element| {
        asap::Message::from(asap::EndpointKeepAlive {
            registrar: registrar(1),
            home,
            pool_handle: pool(),
            pool_element,
        })
    };
    vec![
        keep_alive(false, Some(PE)),
        keep_alive(true, Some(PE)),
        keep_alive(false, None),
        asap::EndpointKeepAliveAck {
            pool_handle: pool(),
            pool_element: PE,
        }
        .into(),
        asap::EndpointUnreachable {
            pool_handle: pool(),
            pool_element: PE,
        }
        .into(),
    ]
}

/// Announces go out as UDP datagrams, all other messages over SCTP.
pub(crate) fn announces() -> Vec<asap::Message> {
    let tcp = AnnouncedTransport::Tcp(TcpTransport {
        port: 3863,
        address: v4(1),
    });
    let sctp = AnnouncedTransport::Sctp(sctp(3863, TransportUse::DATA_ONLY, &[v4(1), v6(1)]));
    [
        (vec![], None),
        (vec![sctp.clone()], None),
        (vec![tcp, sctp], NonZeroU16::new(40_000)),
    ]
    .map(|(transports, user)| {
        asap::Message::from(asap::ServerAnnounce {
            registrar: registrar(1),
            transports,
            encapsulation_ports: EncapsulationPorts { user, asap: None },
        })
    })
    .into()
}

fn control_channel() -> Vec<asap::Message> {
    let cookie = Cookie(b"ABCDE".to_vec());
    vec![
        asap::Cookie {
            cookie: cookie.clone(),
        }
        .into(),
        asap::CookieEcho { cookie }.into(),
        asap::BusinessCard {
            pool_handle: pool(),
            pool_elements: vec![(&numbered(1)).into(), (&numbered(2)).into()],
        }
        .into(),
    ]
}

fn presences() -> Vec<enrp::Message> {
    [
        (None, false, NonZeroU16::new(40_000)),
        (Some(registrar(2)), false, None),
        (Some(registrar(2)), true, None),
    ]
    .map(|(receiver, reply_required, udp)| {
        enrp::Message::from(enrp::Presence {
            sender: registrar(1),
            receiver,
            reply_required,
            checksum: Some(PeChecksum(0xf26f)),
            server_information: Some(server_information(1, udp)),
        })
    })
    .into()
}

fn handle_tables() -> Vec<enrp::Message> {
    let mut messages: Vec<enrp::Message> = Vec::new();
    for own_children_only in [false, true] {
        messages.push(
            enrp::HandleTableRequest {
                sender: registrar(1),
                receiver: Some(registrar(2)),
                own_children_only,
            }
            .into(),
        );
    }
    let entries = vec![
        enrp::PoolEntry {
            pool_handle: pool(),
            pool_elements: vec![(&element_at_home()).into(), (&numbered(2)).into()],
        },
        enrp::PoolEntry {
            pool_handle: padded_pool(),
            pool_elements: vec![(&numbered(3)).into()],
        },
    ];
    let table = |more_to_send, pool_entries| enrp::HandleTable {
        more_to_send,
        pool_entries,
    };
    for result in [
        Ok(table(true, entries.clone())),
        Ok(table(false, entries)),
        Ok(table(false, vec![])),
        Err(enrp::Rejected),
    ] {
        messages.push(
            enrp::HandleTableResponse {
                sender: registrar(2),
                receiver: Some(registrar(1)),
                result,
            }
            .into(),
        );
    }
    messages
}

fn lists() -> Vec<enrp::Message> {
    let mut messages: Vec<enrp::Message> = Vec::new();
    messages.push(
        enrp::ListRequest {
            sender: registrar(1),
            receiver: Some(registrar(2)),
        }
        .into(),
    );
    let registrars = vec![
        server_information(2, None),
        server_information(3, NonZeroU16::new(40_000)),
    ];
    for result in [Ok(registrars), Ok(vec![]), Err(enrp::Rejected)] {
        messages.push(
            enrp::ListResponse {
                sender: registrar(2),
                receiver: Some(registrar(1)),
                result,
            }
            .into(),
        );
    }
    messages
}

fn takeovers() -> Vec<enrp::Message> {
    let (sender, receiver, target) = (registrar(1), Some(registrar(2)), registrar(3));
    vec![
        enrp::InitTakeover {
            sender,
            receiver,
            target,
        }
        .into(),
        enrp::InitTakeoverAck {
            sender,
            receiver,
            target,
        }
        .into(),
        enrp::TakeoverServer {
            sender,
            receiver,
            target,
        }
        .into(),
    ]
}

/// A pool element for each user transport, policy, kind of life and kind of port.
fn elements() -> Vec<PoolElement> {
    let mut elements: Vec<PoolElement> = user_transports()
        .into_iter()
        .map(|user_transport| PoolElement {
            user_transport,
            ..element()
        })
        .collect();
    elements.extend(policies().into_iter().map(with_policy));
    elements.push(PoolElement {
        registration_life: RegistrationLife::Infinite,
        ..element()
    });
    elements.push(PoolElement {
        encapsulation_ports: EncapsulationPorts {
            user: NonZeroU16::new(40_000),
            asap: NonZeroU16::new(40_001),
        },
        ..element_at_home()
    });
    elements
}

pub(crate) fn user_transports() -> Vec<UserTransport> {
    let datagram = |address| DatagramTransport { port: 53, address };
    vec![
        UserTransport::Sctp(sctp(7, TransportUse::DATA_ONLY, &[v4(1), v6(1), v4(2)])),
        UserTransport::Sctp(sctp(7, TransportUse::DATA_PLUS_CONTROL, &[v6(1)])),
        UserTransport::Tcp(TcpTransport {
            port: 80,
            address: v6(1),
        }),
        UserTransport::Udp(datagram(v4(1))),
        UserTransport::UdpLite(datagram(v6(1))),
        UserTransport::Dccp(DccpTransport {
            port: 80,
            service_code: 0x5253_4552,
            address: v4(1),
        }),
        UserTransport::Opaque(b"/run/echo.sock".to_vec()),
    ]
}

pub(crate) fn policies() -> Vec<Policy> {
    let (load, degradation) = (0x8000_0000, 0x0100_0000);
    vec![
        Policy::RoundRobin,
        Policy::WeightedRoundRobin { weight: 2 },
        Policy::Random,
        Policy::WeightedRandom { weight: 3 },
        Policy::Priority { priority: 4 },
        Policy::LeastUsed { load },
        Policy::LeastUsedWithDegradation { load, degradation },
        Policy::PriorityLeastUsed { load, degradation },
        Policy::RandomizedLeastUsed { load },
        Policy::Other {
            policy_type: PolicyType(0x8000_0001),
            data: [0, 0, 0, 1].into(),
        },
    ]
}

pub(crate) fn causes() -> Vec<ErrorCause> {
    vec![
        ErrorCause::Unspecified,
        ErrorCause::UnrecognizedParameter(vec![0x40, 0x77, 0, 6, 0xaa, 0xbb]),
        ErrorCause::UnrecognizedMessage(vec![0x4f, 0, 0, 4]),
        ErrorCause::InvalidValues(vec![0, 0xe, 0, 8, 0, 0, 0, 0]),
        ErrorCause::NonUniquePoolElementIdentifier,
        ErrorCause::InconsistentPoolPolicy(Some(Policy::Priority { priority: 1 })),
        ErrorCause::LackOfResources,
        ErrorCause::InconsistentTransportType(Some(UserTransport::Sctp(sctp(
            7,
            TransportUse::DATA_ONLY,
            &[v4(1)],
        )))),
        ErrorCause::InconsistentDataControlConfiguration,
        ErrorCause::UnknownPoolHandle,
        ErrorCause::RejectedDueToSecurity,
    ]
}

fn two_causes() -> OperationError {
    OperationError {
        causes: vec![
            ErrorCause::UnrecognizedParameter(vec![0xc0, 0x77, 0, 6, 0xaa, 0xbb]),
            ErrorCause::LackOfResources,
        ],
    }
}

pub(crate) fn resolved(
    pool_handle: PoolHandle,
    policy: Policy,
    elements: &[PoolElement],
) -> asap::HandleResolutionResponse {
    asap::HandleResolutionResponse {
        pool_handle,
        updates_accepted: false,
        result: Ok(asap::Resolution {
            policy,
            pool_elements: elements.iter().map(EncodedPoolElement::from).collect(),
        }),
    }
}

pub(crate) fn pool() -> PoolHandle {
    PoolHandle::from("EchoPool")
}

fn padded_pool() -> PoolHandle {
    PoolHandle::from("Pool1")
}

pub(crate) fn element() -> PoolElement {
    PoolElement {
        id: PE,
        home_registrar: None,
        registration_life: RegistrationLife::Seconds(300),
        user_transport: UserTransport::Sctp(sctp(
            50_000,
            TransportUse::DATA_PLUS_CONTROL,
            &[v4(1), v6(1)],
        )),
        policy: Policy::WeightedRoundRobin { weight: 2 },
        asap_transport: None,
        encapsulation_ports: EncapsulationPorts::default(),
    }
}

pub(crate) fn element_at_home() -> PoolElement {
    PoolElement {
        home_registrar: Some(registrar(1)),
        asap_transport: Some(sctp(40_000, TransportUse::DATA_ONLY, &[v4(1), v6(1)])),
        ..element()
    }
}

pub(crate) fn numbered(number: u32) -> PoolElement {
    PoolElement {
        id: PoolElementId(number),
        ..element_at_home()
    }
}

fn with_policy(policy: Policy) -> PoolElement {
    PoolElement {
        policy,
        ..element()
    }
}

fn server_information(number: u32, user: Option<NonZeroU16>) -> ServerInformation {
    ServerInformation {
        registrar: registrar(number),
        transport: sctp(9901, TransportUse::DATA_ONLY, &[v4(1), v6(1)]),
        encapsulation_ports: EncapsulationPorts { user, asap: None },
    }
}

fn sctp(port: u16, transport_use: TransportUse, addresses: &[IpAddr]) -> SctpTransport {
    SctpTransport {
        port,
        transport_use,
        addresses: addresses.to_vec(),
    }
}

pub(crate) fn registrar(number: u32) -> RegistrarId {
    RegistrarId::new(0x1111_1111 * number).expect("not zero")
}

fn v4(host: u8) -> IpAddr {
    [10, 1, 0, host].into()
}

fn v6(host: u16) -> IpAddr {
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, host].into()
}
