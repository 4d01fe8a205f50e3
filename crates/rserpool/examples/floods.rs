//! What a pool user over TCP notices of floods: `cargo run --release --example floods [seconds]`.
//!
//! A registrar and an element on loopback, and one pool user that asks again as soon as it is
//! answered. Its rate is measured before each flood and during it. Floods of datagrams are also
//! sent to a socket that nobody reads: what that costs is the machine's doing.

use rserpool::{Multicast, PoolElement, PoolElementId, PoolHandle, Registrar};
use rserpool_wire::asap::{EndpointUnreachable, HandleResolution, Message};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let seconds = std::env::args()
        .nth(1)
        .map_or(Ok(1.0), |text| text.parse())?;
    let here = [IpAddr::from(Ipv4Addr::LOCALHOST)];
    let builder = Registrar::builder().addresses(here).udp_port(0).tcp_port(0);
    let registrar = builder.multicast(Multicast::off()).start().await?;
    let at = registrar.endpoints().clone();
    let home = format!("127.0.0.1:{}/udp={}", at.sctp_port, at.udp_port).parse()?;
    let builder = PoolElement::builder("echo")
        .registrars([home])
        .addresses(here);
    let element = builder.multicast(Multicast::off()).register().await?;
    let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let targets = Targets {
        tcp: at.tcp.ok_or("no TCP")?,
        udp: SocketAddr::from((Ipv4Addr::LOCALHOST, at.udp_port)),
        sctp_port: at.sctp_port,
        element: element.id(),
    };
    let duration = Duration::from_secs_f64(seconds);
    tokio::task::spawn_blocking(move || measure_all(&targets, sink.local_addr()?, duration))
        .await??;
    let snapshot = registrar.snapshot().await.ok_or("the registrar ended")?;
    println!("pools {}, memory {}", snapshot.pools.len(), memory()?);
    registrar.shutdown().await;
    Ok(())
}

fn memory() -> io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    Ok(line.unwrap_or("unknown").into())
}

#[derive(Clone, Copy)]
struct Targets {
    tcp: SocketAddr,
    udp: SocketAddr,
    sctp_port: u16,
    element: PoolElementId,
}

type Flood = fn(&Targets, u32) -> io::Result<()>;

const FLOODS: [(&str, bool, Flood); 8] = [
    ("random pool handles", false, |to, n| {
        ask_many(to, |i| resolution(&format!("{n} {i}"), false))
    }),
    ("pool handles of 65,000 octets", false, |to, _| {
        ask_many(to, |_| resolution(&"x".repeat(65_000), false))
    }),
    ("subscriptions", false, |to, n| {
        ask_many(to, |i| resolution(&format!("{n} {i}"), true))
    }),
    ("reports of a live element", false, report_many),
    ("lifelines of strangers", false, open_lifelines),
    ("garbage", true, |to, n| {
        send_many(to, 1, |i| (n ^ i).to_le_bytes().repeat(15))
    }),
    ("INIT from many ports", true, |to, n| {
        send_many(to, 16, |i| init(to.sctp_port, n ^ i))
    }),
    ("COOKIE ECHO of 1,000 octets", true, |to, n| {
        send_many(to, 1, |i| packet(to.sctp_port, n ^ i | 1, 10, &[7; 1_000]))
    }),
];

fn measure_all(targets: &Targets, sink: SocketAddr, duration: Duration) -> io::Result<()> {
    for (name, is_udp, flood) in FLOODS {
        let before = rate(targets, duration)?;
        let mut line = format!("{name}: {before:.0}/s before");
        let control = Targets {
            udp: sink,
            ..*targets
        };
        for (what, target) in [("elsewhere", &control), ("here", targets)] {
            if what == "elsewhere" && !is_udp {
                continue;
            }
            let (during, rounds) = during(flood, target, targets, duration)?;
            let share = 100.0 * during / before;
            line += &format!("; flood {what}: {during:.0}/s = {share:.0} % ({rounds} rounds)");
        }
        println!("{line}; {}", memory()?);
        thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

fn during(
    flood: Flood,
    at: &Targets,
    user_at: &Targets,
    duration: Duration,
) -> io::Result<(f64, u32)> {
    let end = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicU32::new(0));
    let (ended, counted, target) = (Arc::clone(&end), Arc::clone(&rounds), *at);
    let flooding = thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            // Being refused is what a flood must expect.
            let _ = flood(&target, counted.fetch_add(1, Ordering::Relaxed));
        }
    });
    thread::sleep(Duration::from_millis(200));
    let rate = rate(user_at, duration);
    end.store(true, Ordering::Relaxed);
    let _ = flooding.join();
    Ok((rate?, rounds.load(Ordering::Relaxed)))
}

/// Resolutions per second of one user, one outstanding.
fn rate(to: &Targets, duration: Duration) -> io::Result<f64> {
    let mut stream = TcpStream::connect(to.tcp)?;
    stream.set_nodelay(true)?;
    let request = resolution("echo", false);
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < duration {
        stream.write_all(&request)?;
        read_message(&mut stream)?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn read_message(stream: &mut TcpStream) -> io::Result<()> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]])).next_multiple_of(4);
    stream.read_exact(&mut vec![0; length.saturating_sub(4)])
}

fn resolution(pool_handle: &str, subscribe: bool) -> Vec<u8> {
    let request = HandleResolution {
        pool_handle: PoolHandle::from(pool_handle),
        items: None,
        subscribe,
    };
    Message::from(request).encode()
}

/// A thousand requests on a connection of their own, each after the answer to the one before.
fn ask_many(to: &Targets, request: impl Fn(u32) -> Vec<u8>) -> io::Result<()> {
    let mut stream = TcpStream::connect(to.tcp)?;
    for number in 0..1_000 {
        stream.write_all(&request(number))?;
        read_message(&mut stream)?;
    }
    Ok(())
}

fn report_many(to: &Targets, _: u32) -> io::Result<()> {
    let report = EndpointUnreachable {
        pool_handle: PoolHandle::from("echo"),
        pool_element: to.element,
    };
    let report = Message::from(report).encode().repeat(1_000);
    TcpStream::connect(to.tcp)?.write_all(&report)?;
    thread::sleep(Duration::from_millis(1));
    Ok(())
}

fn open_lifelines(to: &Targets, round: u32) -> io::Result<()> {
    let mut hello = b"RSPL\x01\0\0\0".to_vec();
    hello.extend(round.wrapping_mul(0x9e37_79b9).to_be_bytes());
    TcpStream::connect(to.udp)?.write_all(&hello)
}

/// A thousand datagrams, from so many ports.
fn send_many(to: &Targets, ports: usize, datagram: impl Fn(u32) -> Vec<u8>) -> io::Result<()> {
    let sockets = (0..ports)
        .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<Vec<_>>>()?;
    for (number, socket) in (0..1_000).zip(sockets.iter().cycle()) {
        socket.send_to(&datagram(number), to.udp)?;
    }
    Ok(())
}

fn init(sctp_port: u16, number: u32) -> Vec<u8> {
    let mut value = (number | 1).to_be_bytes().to_vec();
    value.extend(65_536_u32.to_be_bytes());
    value.extend([0, 1, 0, 1]);
    value.extend(number.to_be_bytes());
    packet(sctp_port, 0, 1, &value)
}

/// An SCTP packet of one chunk, with the right checksum (RFC 9260 §3).
fn packet(sctp_port: u16, tag: u32, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut octets = 5_000_u16.to_be_bytes().to_vec();
    octets.extend(sctp_port.to_be_bytes());
    octets.extend(tag.to_be_bytes());
    octets.extend([0, 0, 0, 0, kind, 0]);
    octets.extend(
        u16::try_from(value.len() + 4)
            .unwrap_or(u16::MAX)
            .to_be_bytes(),
    );
    octets.extend(value);
    let sum = crc32c::crc32c(&octets).to_le_bytes();
    octets[8..12].copy_from_slice(&sum);
    octets
}
