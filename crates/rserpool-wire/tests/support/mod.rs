//! What the integration tests share.

pub(crate) mod pcap;
pub(crate) mod reading;
pub(crate) mod samples;
pub(crate) mod transcript;
pub(crate) mod tshark;
