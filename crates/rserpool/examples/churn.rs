//! Memory and descriptors under churn: `cargo run --release --example churn [cycles]`.
//!
//! Each cycle registers a pool element, opens a session with it, is answered, ends the session
//! and deregisters, all in this process.
//!
//! Memory grows for the first minute, some hundred octets a cycle, and not after that: so long the
//! SCTP endpoints remember which associations have ended, that no cookie brings one back.

use rserpool::{Multicast, PoolElement, PoolUser, Registrar, SessionEvent};
use std::net::{IpAddr, Ipv4Addr};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let cycles: u32 = std::env::args()
        .nth(1)
        .map_or(Ok(3_000), |text| text.parse())?;
    let here = [IpAddr::from(Ipv4Addr::LOCALHOST)];
    let builder = Registrar::builder().addresses(here).udp_port(0);
    let builder = builder.tcp_port(0).multicast(Multicast::off());
    let registrar = builder.start().await?;
    let at = registrar.endpoints();
    let home = format!("127.0.0.1:{}/udp={}", at.sctp_port, at.udp_port).parse()?;
    let home = vec![home];
    let builder = PoolUser::builder().registrars(home.clone());
    let user = builder.addresses(here).multicast(Multicast::off());
    let user = user.start().await?;
    for cycle in 0..=cycles {
        if cycle % (cycles / 6).max(1) == 0 {
            report(cycle, &registrar).await?;
        }
        let builder = PoolElement::builder("churn").registrars(home.clone());
        let builder = builder.addresses(here).multicast(Multicast::off());
        let mut element = builder.register().await?;
        let mut session = user.connect("churn").await?;
        let mut connection = element.accept().await.ok_or("the element ended")?;
        session.send("ping").await?;
        connection.recv().await.ok_or("the session ended")?;
        connection.send("pong").await?;
        while !matches!(session.recv().await?, SessionEvent::Message(_)) {}
        drop(session);
        while connection.recv().await.is_some() {}
        element.deregister().await;
    }
    Ok(())
}

async fn report(cycle: u32, registrar: &Registrar) -> Result<(), Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let memory = status.lines().find(|line| line.starts_with("VmRSS"));
    let threads = status.lines().find(|line| line.starts_with("Threads"));
    let descriptors = std::fs::read_dir("/proc/self/fd")?.count();
    let snapshot = registrar.snapshot().await.ok_or("the registrar ended")?;
    println!(
        "{cycle}: {} {} descriptors {descriptors} pools {} {:?}",
        memory.unwrap_or("no memory"),
        threads.unwrap_or("no threads"),
        snapshot.pools.len(),
        registrar
            .statistics()
            .await
            .map(|all| (all.lifelines, all.tcp_connections)),
    );
    Ok(())
}
