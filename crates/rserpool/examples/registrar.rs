//! A registrar: `cargo run --example registrar [--loopback]`.
//!
//! Pool elements and pool users of this network find it by multicast. With `--loopback` it serves
//! this host alone, at ports that the system chooses. Ctrl-C ends it.

use rserpool::{Multicast, Registrar};
use std::net::{IpAddr, Ipv4Addr};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Registrar::builder();
    if std::env::args().any(|argument| argument == "--loopback") {
        builder = builder
            .addresses([IpAddr::from(Ipv4Addr::LOCALHOST)])
            .udp_port(0)
            .tcp_port(0);
        builder = builder.multicast(Multicast::off());
    }
    let registrar = builder.start().await?;
    let at = registrar.endpoints();
    let host = at.addresses[0];
    println!(
        "registrar {}: {host}:{}/udp={}",
        registrar.id(),
        at.sctp_port,
        at.udp_port
    );
    let mut events = registrar.events();
    loop {
        tokio::select! {
            Some(event) = events.recv() => println!("{event:?}"),
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    registrar.shutdown().await;
    Ok(())
}
