//! How we read octets, in the words of tshark, so that the two readings can be compared.

use rserpool_wire::{Field, Protocol, dissect};
use std::fmt::Write;

/// Names and values in the order of the octets, as tshark calls and shows them.
pub(crate) fn ours(protocol: Protocol, octets: &[u8]) -> String {
    let fields = dissect(protocol, octets).fields;
    let mut reading = String::new();
    for (index, field) in fields.iter().enumerate() {
        let value = &octets[field.octets.clone()];
        if field.name == "Error Cause" {
            push(&mut reading, "cause_code", &hex(&value[..2]));
            push(&mut reading, "cause_length", &decimal(&value[2..4]));
        } else if index == 0 {
            push(&mut reading, "message_type", &decimal(&value[..1]));
            push(&mut reading, "message_flags", &hex(&value[1..2]));
            push(&mut reading, "message_length", &decimal(&value[2..4]));
        } else if field.value.starts_with("type 0x") {
            push(&mut reading, "parameter_type", &hex(&value[..2]));
            push(&mut reading, "parameter_length", &decimal(&value[2..4]));
        } else if field.name == "Cause-specific Information"
            && fields[index - 1].value.contains("unrecognized message")
        {
            // tshark shows the message in it as a protocol of its own.
        } else {
            let (name, show) = in_tsharks_words(protocol, field, &fields[..index]);
            // tshark does not know our own parameter: it shows both ports as one value.
            if field.name == "ASAP Transport Port" {
                write!(reading, ":{}", show(value)).expect("writing to a string");
            } else {
                push(&mut reading, name, &show(value));
            }
        }
    }
    reading
}

type Show = fn(&[u8]) -> String;

fn in_tsharks_words(protocol: Protocol, field: &Field, before: &[Field]) -> (&'static str, Show) {
    let within = before
        .iter()
        .rev()
        .find(|other| other.depth < field.depth)
        .map_or("", |parent| parent.name);
    match (field.name, within) {
        ("Sending Server's ID", _) => ("sender_servers_id", hex),
        ("Receiving Server's ID", _) => ("receiver_servers_id", hex),
        ("Targeting Server's ID", _) => ("target_servers_id", hex),
        ("Server Identifier", _) => ("server_identifier", hex),
        ("Server ID", _) => ("server_information_server_identifier", hex),
        ("Update Action", _) => ("update_action", decimal),
        ("Reserved", "TCP Transport parameter") => ("transport_use", decimal),
        ("Reserved", "UDP Transport parameter") => ("udp_transport_reserved", decimal),
        ("Reserved", "UDP-Lite Transport parameter") => ("udp_lite_transport_reserved", decimal),
        ("Reserved", "DCCP Transport parameter") => ("dccp_transport_reserved", decimal),
        ("Reserved", _) => ("reserved", hex),
        ("IPv4 Address", _) => ("ipv4_address", ipv4),
        ("IPv6 Address", _) => ("ipv6_address", ipv6),
        ("SCTP Port", _) => ("sctp_transport_port", decimal),
        ("TCP Port", _) => ("tcp_transport_port", decimal),
        ("UDP Port", _) => ("udp_transport_port", decimal),
        ("UDP-Lite Port", _) => ("udp_lite_transport_port", decimal),
        ("DCCP Port", _) => ("dccp_transport_port", decimal),
        ("DCCP Service Code", _) => ("dccp_transport_service_code", decimal),
        ("Transport Use", _) => ("transport_use", decimal),
        ("Policy Type", _) => ("pool_member_selection_policy_type", hex),
        ("Weight", _) => ("pool_member_selection_policy_weight", decimal),
        ("Priority", _) => ("pool_member_selection_policy_priority", decimal),
        ("Load", _) => ("pool_member_selection_policy_load", percent),
        ("Load Degradation", _) => ("pool_member_selection_policy_degradation", percent),
        ("Policy-specific Data", _) => ("pool_member_selection_policy_value", octets),
        ("Pool Handle", _) => ("pool_handle_pool_handle", octets),
        ("PE Identifier", "Pool Element parameter") => ("pool_element_pe_identifier", hex),
        ("PE Identifier", _) => ("pe_identifier", hex),
        ("Home ENRP Server Identifier", _) => ("pool_element_home_enrp_server_identifier", hex),
        ("Registration Life", _) => ("pool_element_registration_life", signed),
        ("PE Checksum", _) => ("pe_checksum", hex),
        ("Cookie", _) => ("cookie", octets),
        ("Items", _) => ("hropt_items", decimal),
        ("Cause-specific Information", _) => ("cause_info", octets),
        ("Opaque Transport Data" | "User Transport Port" | "ASAP Transport Port", _)
        | ("Parameter Value", _) => ("parameter_value", octets),
        (other, within) => panic!("{protocol:?}: {other} in {within} has no name in tshark"),
    }
}

fn push(reading: &mut String, name: &str, value: &str) {
    let separator = if reading.is_empty() { "" } else { " " };
    write!(reading, "{separator}{name}={value}").expect("writing to a string");
}

fn number(value: &[u8]) -> u32 {
    value
        .iter()
        .fold(0, |number, octet| number << 8 | u32::from(*octet))
}

fn decimal(value: &[u8]) -> String {
    number(value).to_string()
}

fn signed(value: &[u8]) -> String {
    number(value).cast_signed().to_string()
}

fn hex(value: &[u8]) -> String {
    format!("0x{:0width$x}", number(value), width = 2 * value.len())
}

/// A load in percent with fifteen significant digits.
fn percent(value: &[u8]) -> String {
    let percent = f64::from(number(value)) / f64::from(u32::MAX) * 100.0;
    let decimals = match percent {
        ..1.0 => 15,
        ..10.0 => 14,
        _ => 13,
    };
    let shown = format!("{percent:.decimals$}");
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn octets(value: &[u8]) -> String {
    let octets: Vec<String> = value.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

fn ipv4(value: &[u8]) -> String {
    let octets: [u8; 4] = value.try_into().expect("an IPv4 address");
    std::net::Ipv4Addr::from(octets).to_string()
}

fn ipv6(value: &[u8]) -> String {
    let octets: [u8; 16] = value.try_into().expect("an IPv6 address");
    std::net::Ipv6Addr::from(octets).to_string()
}
