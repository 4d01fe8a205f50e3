//! See the package description.
#![allow(dead_code)]
mod connection;
mod data;
mod driver;
mod error;
mod error_queue;
mod event;
mod framing;
mod inbox;
mod interfaces;
mod lifeline;
mod local_address;
mod multicast;
mod network;
mod node;
mod open_files;
mod registrar;
mod registrar_associations;
mod sctp_over_udp;
mod tcp;
mod udp;
