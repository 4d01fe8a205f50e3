//! Data channels over TCP and UDP that fail, wait, or are flooded (RFC 5352 §6.5.5, §6.9.2), and
//! SCTP for data alone.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::namespace::Namespace;
use common::process::Process;
use common::{ask, element, registrar, sctp, serve_echo, soon, until_count, until_peers, user};
use rserpool::{
    ConnectFailed, DataTransport, Multicast, OnFailover, PoolElement, PoolUser, Registrar,
    RegistrarAddress, SendFailed, Session, SessionEvent, SessionMessage, Timers, UserProtocol,
    UserTransport,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket,
};
use std::time::Duration;

const REGISTRAR: &str = "RSERPOOL_TEST_REGISTRAR";
const BUSY: &str = "RSERPOOL_TEST_BUSY";
const PEER: &str = "RSERPOOL_TEST_PEER";

/// Longer than a silent host is believed in with the fast timers.
const LONG: Duration = Duration::from_secs(3);

/// The user's end of the cable, and the pool element's.
const USER: [u8; 4] = [10, 9, 0, 1];
const ELEMENT: [u8; 4] = [10, 9, 0, 2];

/// A small window, so that little is taken of what nobody reads.
const WINDOW_OCTETS: usize = 4096;

async fn start() -> (Registrar, RegistrarAddress, PoolUser) {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let user = user(&at).timers(Timers::fast()).start().await.unwrap();
    (registrar, at, user)
}

async fn serve_by(at: &RegistrarAddress, transport: DataTransport) -> PoolElement {
    let element = element(at).serve_by(transport);
    element.register().await.unwrap()
}

/// An ordinary TCP server as a pool element, with a small window.
async fn own_server(at: &RegistrarAddress) -> (PoolElement, TcpListener) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.set_recv_buffer_size(WINDOW_OCTETS).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    let element = element(at).own_transport(UserProtocol::Tcp, port);
    (element.register().await.unwrap(), listener)
}

async fn message(session: &mut Session) -> Vec<u8> {
    let event = soon("a message", session.recv()).await.unwrap();
    let SessionEvent::Message(received) = event else {
        panic!("{event:?}");
    };
    received.data
}

#[tokio::test]
async fn a_tcp_pool_element_that_has_no_room_for_long_is_not_taken_for_dead() {
    let (_registrar, at, user) = start().await;
    let (_element, listener) = own_server(&at).await;
    let mut session = user.connect("echo").await.unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let sent = vec![7; 100 * 1024];
    for part in sent.chunks(10 * 1024) {
        session.send(part).await.unwrap();
    }
    let read = tokio::task::spawn_blocking(move || {
        std::thread::sleep(LONG);
        let mut octets = vec![0; 100 * 1024];
        stream.read_exact(&mut octets).unwrap();
        stream.write_all(b"done").unwrap();
        (octets, stream)
    });
    assert_eq!(message(&mut session).await, b"done");
    assert_eq!(soon("the reader", read).await.unwrap().0, sent);
}

#[tokio::test]
async fn over_tcp_what_was_not_acknowledged_is_sent_again_in_its_order() {
    let (_registrar, at, user) = start().await;
    let (_first, first) = own_server(&at).await;
    let mut session = user.connect("echo").await.unwrap();
    let (stream, _) = first.accept().unwrap();
    const MESSAGES: u32 = 200;
    // Of each message, its octets say the number.
    let text = |number: u32| format!("{number:0>1000}");
    for number in 0..MESSAGES {
        let message = SessionMessage::new(text(number)).on_failover(OnFailover::Resend);
        session.send_message(message).await.unwrap();
    }
    let (_second, second) = own_server(&at).await;
    // Something is unread: the connection is reset. And nobody listens there any more.
    drop((first, stream));
    let reading = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = second.accept().unwrap();
        let mut all = vec![0; 1000];
        stream.read_exact(&mut all).unwrap();
        let from: u32 = std::str::from_utf8(&all).unwrap().parse().unwrap();
        all.resize(1000 * usize::try_from(MESSAGES - from).unwrap(), 0);
        stream.read_exact(&mut all[1000..]).unwrap();
        stream.write_all(b"done").unwrap();
        (from, all, stream)
    });
    let failover = soon("the failover", session.recv()).await.unwrap();
    assert!(
        matches!(failover, SessionEvent::Failover { .. }),
        "{failover:?}"
    );
    assert_eq!(message(&mut session).await, b"done");
    let (from, all, _stream) = soon("the reader", reading).await.unwrap();
    // The window took little of it.
    assert!(from < MESSAGES / 2, "from message {from}");
    let expected: String = (from..MESSAGES).map(text).collect();
    assert_eq!(String::from_utf8(all).unwrap(), expected);
}

#[tokio::test]
async fn over_tcp_what_was_acknowledged_is_neither_sent_again_nor_given_back() {
    let (_registrar, at, user) = start().await;
    let (_first, first) = own_server(&at).await;
    let mut session = user.connect("echo").await.unwrap();
    let (mut stream, _) = first.accept().unwrap();
    for on_failover in [OnFailover::Resend, OnFailover::Return] {
        let message = SessionMessage::new("taken").on_failover(on_failover);
        session.send_message(message).await.unwrap();
    }
    let mut taken = [0; 10];
    stream.read_exact(&mut taken).unwrap();
    let (_second, second) = own_server(&at).await;
    // A process that has read everything is killed.
    drop((first, stream));
    let failover = soon("the failover", session.recv()).await.unwrap();
    assert!(
        matches!(failover, SessionEvent::Failover { .. }),
        "{failover:?}"
    );
    session.send("next").await.unwrap();
    let (mut stream, _) = second.accept().unwrap();
    let mut next = [0; 4];
    stream.read_exact(&mut next).unwrap();
    stream.write_all(b"done").unwrap();
    assert_eq!(&next, b"next");
    assert_eq!(message(&mut session).await, b"done");
}

#[tokio::test]
async fn a_tcp_user_that_closes_its_side_still_gets_its_answers() {
    let (_registrar, at, _user) = start().await;
    let element = serve_by(&at, DataTransport::Tcp).await;
    let (name, port) = (element.id().to_string(), element.endpoints().user_port);
    serve_echo(element);
    let reading = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = soon("the answer", reading).await.unwrap();
    assert_eq!(answer, format!("{name} hello"));
}

#[tokio::test]
async fn tcp_users_that_reset_or_say_nothing_leave_nothing_behind() {
    let (_registrar, at, user) = start().await;
    let mut element = serve_by(&at, DataTransport::Tcp).await;
    let to = (Ipv4Addr::LOCALHOST, element.endpoints().user_port);
    for round in 0..100 {
        let stream = TcpStream::connect(to).unwrap();
        let mut connection = soon("the user", element.accept()).await.unwrap();
        if round % 2 == 0 {
            let socket = Socket::from(stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            drop(socket);
        } else {
            drop(stream);
        }
        assert_eq!(soon("the end", connection.recv()).await, None);
    }
    soon("nothing is left", async {
        while element.statistics().await.unwrap().data_channels > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let mut session = user.connect("echo").await.unwrap();
    serve_echo(element);
    ask(&mut session, "still there").await;
}

/// A datagram from each of so many addresses, which nobody answers.
fn flood(port: u16, addresses: u32) {
    for number in 1..=addresses {
        let [.., a, b] = number.to_be_bytes();
        let from = UdpSocket::bind((Ipv4Addr::new(127, 77, a, b), 0)).unwrap();
        from.send_to(b"flood", (Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}

#[tokio::test]
async fn a_flood_of_datagrams_from_many_addresses_neither_grows_nor_keeps_users_out() {
    let (_registrar, at, user) = start().await;
    let element = serve_by(&at, DataTransport::Udp).await;
    let port = element.endpoints().user_port;
    // An application that never lets go of a connection.
    let (count, mut counted) = tokio::sync::watch::channel(0);
    let name = element.id().to_string();
    let serving = tokio::spawn(hold_all(element, count));
    let mut before = user.connect("echo").await.unwrap();
    for _ in 0..2 {
        ask(&mut before, "before").await;
    }
    tokio::task::spawn_blocking(move || flood(port, 6000))
        .await
        .unwrap();
    let (answer, failovers) = ask(&mut before, "during").await;
    assert_eq!((answer, failovers), (format!("{name} during"), vec![]));
    let mut after = user.connect("echo").await.unwrap();
    // One datagram may be lost in the flood.
    let answer = soon("an answer", async {
        loop {
            after.send("after").await.unwrap();
            let answered = tokio::time::timeout(Duration::from_millis(200), message(&mut after));
            if let Ok(answer) = answered.await {
                return answer;
            }
        }
    });
    assert_eq!(answer.await, format!("{name} after").into_bytes());
    soon("the flood", counted.wait_for(|open| *open > 0))
        .await
        .unwrap();
    let open = *counted.borrow();
    assert!(open <= 1100, "{open} flows are open");
    serving.abort();
}

/// Answers, and tells how many flows there are at most.
async fn hold_all(mut element: PoolElement, count: tokio::sync::watch::Sender<usize>) {
    let name = element.id().to_string();
    while let Some(connection) = element.accept().await {
        tokio::spawn(common::echo(connection, name.clone()));
        let open = element.statistics().await.unwrap().data_channels;
        count.send_modify(|most| *most = open.max(*most));
    }
}

#[tokio::test]
async fn datagrams_that_the_application_does_not_take_are_dropped_beyond_a_limit() {
    let (_registrar, at, user) = start().await;
    let mut element = serve_by(&at, DataTransport::Udp).await;
    let session = user.connect("echo").await.unwrap();
    session.send("begin").await.unwrap();
    let mut connection = soon("the user", element.accept()).await.unwrap();
    soon("drops", async {
        while element.statistics().await.unwrap().datagrams_dropped == 0 {
            session.send(vec![0; 60_000]).await.unwrap();
        }
    })
    .await;
    session.report_failure();
    let mut taken = 0;
    let reading = async {
        while let Ok(Some(received)) =
            tokio::time::timeout(Duration::from_millis(300), connection.recv()).await
        {
            taken += received.data.len();
        }
    };
    soon("the rest", reading).await;
    assert!((1 << 20..3 << 19).contains(&taken), "{taken} octets waited");
}

#[tokio::test]
async fn a_udp_user_of_a_pool_element_that_has_drained_goes_on_elsewhere() {
    let (_registrar, at, user) = start().await;
    let leaving = serve_by(&at, DataTransport::Udp).await;
    let (leaving_id, port) = (leaving.id(), leaving.endpoints().user_port);
    let mut leaving = leaving;
    let mut session = user.connect("echo").await.unwrap();
    session.send("hello").await.unwrap();
    let mut connection = soon("the user", leaving.accept()).await.unwrap();
    assert!(soon("hello", connection.recv()).await.is_some());
    let staying = serve_by(&at, DataTransport::Udp).await;
    let staying_name = staying.id().to_string();
    serve_echo(staying);
    let drained = tokio::spawn(leaving.drain(Duration::from_millis(100)));
    assert_eq!(soon("the end", connection.recv()).await, None);
    let drained = soon("draining", drained).await.unwrap();
    assert_eq!((drained.finished, drained.moved), (0, 1));
    // Its port is free again, which the host tells whoever still sends there.
    drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    let (answer, failovers) = ask(&mut session, "on").await;
    assert_eq!(answer, format!("{staying_name} on"));
    let [SessionEvent::Failover { from, .. }] = failovers[..] else {
        panic!("{failovers:?}");
    };
    assert_eq!(from, leaving_id);
}

#[tokio::test]
async fn two_sessions_over_udp_with_one_pool_element_are_two_users_of_it() {
    let (_registrar, at, user) = start().await;
    let mut element = serve_by(&at, DataTransport::Udp).await;
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut session = user.connect("echo").await.unwrap();
        session.send("hello").await.unwrap();
        let mut connection = soon("the user", element.accept()).await.unwrap();
        assert_eq!(
            soon("hello", connection.recv()).await.unwrap().data,
            b"hello"
        );
        connection.send("welcome").await.unwrap();
        assert_eq!(message(&mut session).await, b"welcome");
        peers.push(connection.peer());
    }
    peers.sort_unstable();
    peers.dedup();
    assert_eq!(peers.len(), 3);
}

#[tokio::test]
async fn a_udp_user_that_says_nothing_for_the_time_that_was_set_is_gone() {
    let (_registrar, at, user) = start().await;
    let builder = element(&at).serve_by(DataTransport::Udp);
    let builder = builder.udp_idle_after(Duration::from_millis(100));
    let mut element = builder.register().await.unwrap();
    let session = user.connect("echo").await.unwrap();
    session.send("hello").await.unwrap();
    let mut connection = soon("the user", element.accept()).await.unwrap();
    assert!(soon("hello", connection.recv()).await.is_some());
    assert_eq!(soon("the end", connection.recv()).await, None);
    session.send("hello again").await.unwrap();
    let mut connection = soon("the user", element.accept()).await.unwrap();
    assert!(soon("hello", connection.recv()).await.is_some());
}

#[tokio::test]
async fn sctp_for_data_alone_has_streams_and_no_control_channel() {
    let (_registrar, at, user) = start().await;
    let mut element = element(&at).data_only().register().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    assert_eq!(session.element().transport, DataTransport::Sctp);
    session.send_with(3, 42, "on a stream").await.unwrap();
    let mut connection = soon("the user", element.accept()).await.unwrap();
    let received = soon("the message", connection.recv()).await.unwrap();
    assert_eq!((received.stream, received.ppid), (3, 42));
    let cookie = connection.send_cookie("state").await;
    assert_eq!(cookie, Err(SendFailed::NoControlChannel));
    // What the user would say on a control channel is not said: neither a card, nor, after a
    // failover, a cookie.
    let card = element.business_card(&user).await.unwrap();
    session.set_business_card(card.clone()).await;
    let on_channel = connection.send_business_card(card).await;
    assert_eq!(on_channel, Err(SendFailed::NoControlChannel));
    connection.send("answer").await.unwrap();
    assert_eq!(message(&mut session).await, b"answer");
    let statistics = element.statistics().await.unwrap();
    assert_eq!(statistics.control_dropped, 0);
}

#[tokio::test]
async fn a_pool_of_a_foreign_transport_is_told_as_such() {
    let (_registrar, at, user) = start().await;
    let opaque = UserProtocol::Opaque(b"carrier pigeon".to_vec());
    let element = element(&at).own_transport(opaque, 0);
    let element = element.register().await.unwrap();
    let failed = soon("connecting", user.connect("echo")).await.unwrap_err();
    assert_eq!(failed, ConnectFailed::ForeignTransport(element.id()));
    assert!(!failed.is_temporary());
    let server = user.primary_server("echo").await.unwrap();
    assert!(matches!(server.transport(), UserTransport::Opaque(_)));
}

#[tokio::test]
#[ignore = "a process of the other tests"]
async fn registrar_process() {
    let Ok(peer) = std::env::var(PEER) else {
        return;
    };
    let builder = registrar().peer(RegistrarAddress::parse_peer(&peer).unwrap());
    let registrar = builder.start().await.unwrap();
    println!("serving {}", sctp(&registrar));
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn over_ipv6_too() {
    let here = [IpAddr::from(Ipv6Addr::LOCALHOST)];
    if UdpSocket::bind((here[0], 0)).is_err() {
        eprintln!("skipped: this host has no IPv6");
        return;
    }
    for transport in [DataTransport::Tcp, DataTransport::Udp] {
        let registrar = registrar().addresses(here).start().await.unwrap();
        let at = sctp(&registrar);
        let builder = element(&at).addresses(here).serve_by(transport);
        serve_echo(builder.register().await.unwrap());
        let user = user(&at).addresses(here).start().await.unwrap();
        let mut session = user.connect("echo").await.unwrap();
        ask(&mut session, "hello").await;
        assert_eq!(session.element().address.ip(), here[0]);
    }
}

#[tokio::test]
async fn a_port_of_users_that_is_in_use_is_said_to_be() {
    let (_registrar, at, _user) = start().await;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ports = [
        (DataTransport::Tcp, tcp.local_addr().unwrap().port()),
        (DataTransport::Udp, udp.local_addr().unwrap().port()),
    ];
    for (transport, port) in ports {
        let builder = element(&at).serve_by(transport).user_port(port);
        let failed = builder.register().await.unwrap_err();
        assert!(!failed.is_temporary());
        let text = failed.to_string();
        let start = format!("cannot await users at 127.0.0.1:{port}: Address already in use");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains("choose another"), "{text}");
    }
}

/// Serves echo, and tells when that registrar is home.
async fn serve_until_at(
    home: RegistrarAddress,
    mut element: PoolElement,
    is_at_home: tokio::sync::oneshot::Sender<()>,
) {
    let name = element.id().to_string();
    let mut is_at_home = Some(is_at_home);
    loop {
        tokio::select! {
            connection = element.accept() => {
                tokio::spawn(common::echo(connection.unwrap(), name.clone()));
            }
            () = tokio::time::sleep(Duration::from_millis(2)) => {
                let now = element.home_registrar();
                if now.is_some_and(|now| now.udp_port == home.udp_port)
                    && let Some(is_at_home) = is_at_home.take()
                {
                    is_at_home.send(()).unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn a_registrar_that_takes_a_pool_element_over_ends_no_user_over_tcp() {
    let survivor = registrar().start().await.unwrap();
    let peer = survivor.endpoints().as_peer().to_string();
    let mut home = Process::start("registrar_process", &[(PEER, &peer)]);
    let at: RegistrarAddress = home.line("serving ").await.parse().unwrap();
    until_peers(&survivor, 1).await;
    let element = serve_by(&at, DataTransport::Tcp).await;
    let name = element.id().to_string();
    let (is_at_home, at_home) = tokio::sync::oneshot::channel();
    tokio::spawn(serve_until_at(sctp(&survivor), element, is_at_home));
    until_count(&survivor, 1).await;
    let user = user(&sctp(&survivor)).start().await.unwrap();
    // More than the strangers that may come to its SCTP.
    let mut sessions = Vec::new();
    for _ in 0..20 {
        let mut session = user.connect("echo").await.unwrap();
        ask(&mut session, "before").await;
        sessions.push(session);
    }
    home.kill();
    soon("the new home", at_home).await.unwrap();
    for session in &mut sessions {
        let (answer, failovers) = ask(session, "after").await;
        assert_eq!((answer, failovers), (format!("{name} after"), vec![]));
    }
}

/// Serves echo on its own host.
#[tokio::test]
#[ignore = "a process of the other tests"]
async fn far_element_process() {
    let Ok(at) = std::env::var(REGISTRAR) else {
        return;
    };
    let builder = PoolElement::builder("echo").registrars([at.parse().unwrap()]);
    let builder = builder.addresses([IpAddr::from(ELEMENT)]);
    let builder = builder.serve_by(DataTransport::Tcp);
    // Its registrar shall not be the one to notice.
    let builder = builder.multicast(Multicast::off());
    let element = builder.register().await.unwrap();
    println!("registered");
    serve_echo(element).await.unwrap();
}

/// A registrar, a pool element at hand, and a user who says what happens.
#[tokio::test]
#[ignore = "a process of the other tests"]
async fn user_process() {
    let Ok(is_busy) = std::env::var(BUSY) else {
        return;
    };
    let here = IpAddr::from(USER);
    let registrar = Registrar::builder().addresses([here]);
    let registrar = registrar.multicast(Multicast::off()).start().await.unwrap();
    println!("registrar {}", sctp(&registrar));
    let user = PoolUser::builder().registrars([sctp(&registrar)]);
    let user = user.addresses([here]).multicast(Multicast::off());
    let user = user.timers(Timers::fast()).start().await.unwrap();
    let mut session = loop {
        if let Ok(session) = user.connect("echo").await {
            break session;
        }
    };
    ask(&mut session, "hello").await;
    let near = PoolElement::builder("echo").registrars([sctp(&registrar)]);
    let near = near.addresses([here]).multicast(Multicast::off());
    let near = near.serve_by(DataTransport::Tcp).register().await.unwrap();
    serve_echo(near);
    println!("served");
    let sender = session.sender();
    if is_busy == "yes" {
        tokio::spawn(async move {
            while sender.send("are you there?").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }
    loop {
        if let SessionEvent::Failover { .. } = session.recv().await.unwrap() {
            println!("failover");
        }
    }
}

async fn a_host_falls_silent(is_busy: &str) {
    let (Some(here), Some(far)) = (Namespace::new(), Namespace::new()) else {
        return;
    };
    let ends = ["10.9.0.1/24", "10.9.0.2/24"];
    here.connect(&far, "cable", [ends, ["fd09::1/64", "fd09::2/64"]]);
    let mut user = Process::start_at(&here, "user_process", &[(BUSY, is_busy)]);
    let at = user.line("registrar ").await;
    let mut element = Process::start_at(&far, "far_element_process", &[(REGISTRAR, &at)]);
    element.line("registered").await;
    user.line("served").await;
    far.cut("cable");
    user.line("failover").await;
}

#[tokio::test]
async fn a_host_that_falls_silent_is_noticed_over_tcp_while_nothing_is_sent() {
    a_host_falls_silent("no").await;
}

#[tokio::test]
async fn a_host_that_falls_silent_is_noticed_over_tcp_while_something_is_sent() {
    a_host_falls_silent("yes").await;
}
