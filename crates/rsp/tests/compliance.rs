//! The numbers of RFC 5352 §7 and §8 and of RFC 5353 §4 and §5, which docs/compliance.md names.

use rserpool::{Multicast, Scope, Timers};
use std::time::Duration;

#[test]
fn the_rfc_preset_has_the_values_of_section_7() {
    let timers = Timers::rfc().asap;
    assert_eq!(timers.t1_enrp_request, Duration::from_secs(15));
    assert_eq!(timers.t2_registration, Duration::from_secs(30));
    assert_eq!(timers.t3_deregistration, Duration::from_secs(30));
    assert_eq!(timers.t4_reregistration, Duration::from_secs(10 * 60));
    assert_eq!(timers.t5_server_hunt, Duration::from_secs(10));
    assert_eq!(timers.t6_server_announce, Duration::from_secs(1));
    assert_eq!(timers.t7_enrp_outdate, Duration::from_secs(5));
    assert_eq!(timers.max_reg_attempt, 2);
    assert_eq!(timers.max_request_retransmit, 2);
    assert_eq!(timers.retran_max, Duration::from_secs(60));
    assert!(
        timers.stale_cache_value > Duration::ZERO,
        "the RFC names no value"
    );
}

#[test]
fn ports_and_groups_are_those_of_section_8() {
    assert_eq!(rserpool_core::ASAP_PORT, 3863);
    let multicast = Multicast::default();
    assert_eq!(multicast.port, 3863);
    assert_eq!(
        multicast.group_v4,
        Some("224.0.1.185".parse().expect("an address"))
    );
    let site_local = Multicast::v6_group(Scope::SiteLocal);
    assert_eq!(
        site_local,
        "ff05::133"
            .parse::<std::net::Ipv6Addr>()
            .expect("an address")
    );
    assert_eq!(multicast.group_v6, Some(site_local));
}

#[test]
fn the_rfc_preset_has_the_thresholds_of_rfc_5353_section_4() {
    let timers = Timers::rfc().asap;
    assert_eq!(timers.peer_heartbeat_cycle, Duration::from_secs(30));
    assert_eq!(timers.max_time_last_heard, Duration::from_secs(61));
    assert_eq!(timers.max_time_no_response, Duration::from_secs(5));
}

#[test]
fn enrp_has_the_numbers_of_rfc_5353_section_5() {
    assert_eq!(rserpool_core::ENRP_PORT, 9901);
    assert_eq!(rserpool_net::ENRP_PPID, 12);
}
