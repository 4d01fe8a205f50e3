//! Peers that are pool users and pool elements at once (RFC 3237 §2.3): whoever has talked to one
//! can call back at another one of its pool.

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::process::Process;
use common::{element, loopback, registrar, sctp, soon, user};
use rserpool::{
    BusinessCard, Connection, ConnectionEvent, Multicast, PoolElement, PoolElementBuilder,
    PoolElementId, PoolHandle, PoolUser, RegistrarAddress, Session, SessionEvent,
};
use rserpool_wire::parameter::EncodedPoolElement;

const REGISTRAR: &str = "RSERPOOL_TEST_REGISTRAR";

fn peer(at: &RegistrarAddress) -> PoolElementBuilder {
    let builder = PoolElement::builder("peers").registrars(vec![at.clone()]);
    builder.addresses(loopback()).multicast(Multicast::off())
}

fn ids(card: &BusinessCard) -> Vec<PoolElementId> {
    let elements = card.pool_elements.iter();
    elements.map(EncodedPoolElement::id).collect()
}

async fn card_of(connection: &mut Connection) -> BusinessCard {
    let event = soon("a business card", connection.recv_event()).await;
    let Some(ConnectionEvent::BusinessCard(card)) = event else {
        panic!("{event:?}")
    };
    card
}

async fn message_of(session: &mut Session) -> Vec<u8> {
    let event = soon("a message", session.recv()).await;
    let Ok(SessionEvent::Message(received)) = event else {
        panic!("{event:?}")
    };
    received.data
}

/// One that asks the service for something, and is killed before it has it.
#[tokio::test]
#[ignore = "a process of the other tests"]
async fn asking_peer_process() {
    let Ok(at) = std::env::var(REGISTRAR) else {
        return;
    };
    let at: RegistrarAddress = at.parse().unwrap();
    let element = peer(&at).register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let card = element.business_card(&user).await.unwrap();
    session.set_business_card(card).await;
    session.send("call me back").await.unwrap();
    assert_eq!(message_of(&mut session).await, b"later");
    println!("asked {}", element.id().0);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_peer_that_dies_is_called_back_at_another_one_of_its_pool() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut service = element(&at).register().await.unwrap();
    let mut other = peer(&at).register().await.unwrap();
    let other_id = other.id();
    let address = at.to_string();
    let mut asking = Process::start("asking_peer_process", &[(REGISTRAR, &address)]);

    let mut connection = soon("accept", service.accept()).await.unwrap();
    let card = card_of(&mut connection).await;
    assert_eq!(card.pool_handle, PoolHandle::from("peers"));
    assert_eq!(ids(&card), [other_id], "by whom it can be replaced");
    let request = soon("a request", connection.recv()).await.unwrap();
    assert_eq!(request.data, b"call me back");
    connection.send("later").await.unwrap();
    let dead = asking.line("asked ").await.parse().map(PoolElementId);
    let dead = dead.unwrap();
    asking.kill();
    assert_eq!(soon("its end", connection.recv()).await, None);

    // The service is a pool user too.
    let user = user(&at).start().await.unwrap();
    let back = soon("connect", user.connect(card.pool_handle)).await;
    let mut back = back.unwrap();
    assert_ne!(back.element().id, dead);
    let own_card = service.business_card(&user).await.unwrap();
    assert_eq!(ids(&own_card), [], "it is the only one of its pool");
    back.set_business_card(own_card.clone()).await;
    back.send("it is later now").await.unwrap();

    let mut called = soon("accept", other.accept()).await.unwrap();
    assert_eq!(card_of(&mut called).await, own_card, "cards go both ways");
    let message = soon("the message", called.recv()).await.unwrap();
    assert_eq!(message.data, b"it is later now");
    called.send("thank you").await.unwrap();
    assert_eq!(message_of(&mut back).await, b"thank you");
}

/// Both ends of one session say by whom they can be replaced.
#[tokio::test]
async fn business_cards_go_both_ways_in_one_session() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let start = async |count| {
        let mut services = Vec::new();
        for _ in 0..count {
            services.push(element(&at).register().await.unwrap());
        }
        services
    };
    let mut services = start(3).await;
    let own = peer(&at).register().await.unwrap();
    let second = peer(&at).register().await.unwrap();
    let user: PoolUser = user(&at).start().await.unwrap();
    let mut session = user.connect("echo").await.unwrap();
    let id = session.element().id;
    let place = services.iter().position(|one| one.id() == id).unwrap();
    let mut serving = services.remove(place);
    let mut connection = soon("accept", serving.accept()).await.unwrap();

    let card = own.business_card(&user).await.unwrap();
    assert_eq!(ids(&card), [second.id()]);
    session.set_business_card(card.clone()).await;
    assert_eq!(card_of(&mut connection).await, card);

    let mut card = serving.business_card(&user).await.unwrap();
    assert_eq!(ids(&card).len(), 2);
    card.pool_elements.reverse();
    let best = ids(&card)[0];
    connection.send_business_card(card).await.unwrap();
    let drained = soon("draining", serving.drain(std::time::Duration::ZERO)).await;
    assert_eq!(drained.moved, 1);
    let event = soon("the failover", session.recv()).await;
    let Ok(SessionEvent::Failover { to, .. }) = event else {
        panic!("{event:?}")
    };
    assert_eq!(to, best, "its user goes where its card says");
    let taken = services.iter_mut().find(|one| one.id() == best).unwrap();
    let mut connection = soon("accept", taken.accept()).await.unwrap();
    let card = card_of(&mut connection).await;
    assert_eq!(ids(&card), [second.id()], "the next one is told, too");
}

/// A pool element calls back the pool of a user that told it by whom it can be replaced: a pool
/// that this process has not heard of (BC1), at whom the card recommends (BC2).
#[tokio::test]
async fn bc1_bc2_a_pool_element_calls_back_at_whom_the_card_recommends() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let mut service = element(&at).register().await.unwrap();
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(peer(&at).register().await.unwrap());
    }
    let asking = user(&at).start().await.unwrap();
    let session = asking.connect("echo").await.unwrap();
    let mut card = peers[0].business_card(&asking).await.unwrap();
    // One that has gone, and one that would be the last by its policy.
    card.pool_elements.truncate(19);
    card.pool_elements.reverse();
    let order = ids(&card);
    let gone = peers.iter().position(|peer| peer.id() == order[0]);
    let gone = peers.remove(gone.unwrap());
    soon("deregister", gone.deregister()).await;
    session.set_business_card(card.clone()).await;
    let mut connection = soon("accept", service.accept()).await.unwrap();
    let told = card_of(&mut connection).await;
    assert_eq!(told, card);

    let user = user(&at).start().await.unwrap();
    for _ in 0..3 {
        let back = soon("connect", user.call_back(&told).connect()).await;
        assert_eq!(back.unwrap().element().id, order[1]);
    }
    // None of them is there: whoever is in the pool.
    let mut strangers = told.clone();
    strangers.pool_elements.truncate(1);
    let back = soon("connect", user.call_back(&strangers).connect()).await;
    let back = back.unwrap().element().id;
    assert!(peers.iter().any(|peer| peer.id() == back));
}
