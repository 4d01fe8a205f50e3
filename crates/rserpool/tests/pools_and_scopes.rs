//! A pool element in several pools and operational scopes, a pool user in several scopes
//! (RFC 3237 §2.7).

#![allow(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod common;

use common::{
    ask, element, element_count, registrar, sctp, serve_echo, soon, until_count, until_peers, user,
};
use rserpool::{
    ConnectFailed, Member, Membership, OperationalScopes, Policy, PoolElementId, RegisterFailed,
    Registrar, RegistrarAddress, ResolveFailed,
};
use std::time::Duration;

/// Two operational scopes: two registrars that do not know each other.
async fn two_scopes() -> [(Registrar, RegistrarAddress); 2] {
    let (one, other) = (registrar().start().await, registrar().start().await);
    [one, other].map(|registrar| {
        let registrar = registrar.unwrap();
        let at = sctp(&registrar);
        (registrar, at)
    })
}

#[tokio::test]
async fn one_pool_element_serves_several_pools_at_the_same_ports() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let load = Policy::LeastUsed { load: 7 };
    let builder = element(&at).id(PoolElementId(1));
    let builder = builder.also_in(Membership::new("calc").policy(load.clone()));
    let mut element = builder.register().await.unwrap();
    let third = Membership::new("daytime").id(PoolElementId(3));
    element.join(third).await.unwrap();
    assert_eq!(element_count(&registrar).await, 3);
    let pools = element.members().iter();
    let pools: Vec<_> = pools
        .map(|member| member.pool_handle().to_string())
        .collect();
    assert_eq!(pools, ["calc", "daytime"]);
    assert!(element.members().iter().all(Member::is_registered));
    assert_eq!(element.members()[0].home_registrar(), Some(at.clone()));
    let ids = [element.id(), element.members()[0].id(), PoolElementId(3)];
    let (name, ports) = (element.id(), element.endpoints().sctp_port);
    let _serving = serve_echo(element);

    let user = user(&at).start().await.unwrap();
    for (pool, id) in ["echo", "calc", "daytime"].into_iter().zip(ids) {
        let resolution = user.resolve(pool).await.unwrap();
        let server = user.primary_server(pool).await.unwrap();
        assert_eq!((server.id(), resolution.pool_elements.len()), (id, 1));
        assert!(server.addresses().iter().all(|at| at.port() == ports));
        let mut session = user.connect(pool).await.unwrap();
        assert_eq!(session.element().id, id);
        let answer = ask(&mut session, pool).await;
        assert_eq!(answer, (format!("{name} {pool}"), vec![]));
    }
    assert_eq!(user.resolve("calc").await.unwrap().policy, load);
}

#[tokio::test]
async fn another_value_is_registered_in_one_pool_and_not_in_the_other() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let load = |load| Policy::LeastUsed { load };
    let builder = element(&at).policy(load(1));
    let builder = builder.also_in(Membership::new("calc").policy(load(1)));
    let element = builder.register().await.unwrap();
    let user = user(&at).start().await.unwrap();
    let mut calc = user.subscribe("calc").await.unwrap();
    element.members()[0].set_policy(load(2)).await;
    let new = async {
        loop {
            let update = calc.next().await.unwrap();
            let elements = update.resolution.unwrap().pool_elements;
            if elements[0].decode().policy == load(2) {
                return;
            }
        }
    };
    soon("the new load", new).await;
    let echo = user.resolve("echo").await.unwrap();
    assert_eq!(echo.pool_elements[0].decode().policy, load(1));
}

#[tokio::test]
async fn one_pool_element_is_in_several_operational_scopes_at_once() {
    let [(one, at_one), (other, at_other)] = two_scopes().await;
    let elsewhere = Membership::new("echo").registrars([at_other.clone()]);
    let element = element(&at_one)
        .also_in(elsewhere)
        .register()
        .await
        .unwrap();
    let name = element.id();
    let home = element.members()[0].home_registrar();
    assert_eq!(home, Some(at_other.clone()));
    let (drain, drained) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let mut element = element;
        let accept = async {
            while let Some(connection) = element.accept().await {
                tokio::spawn(common::echo(connection, name.to_string()));
            }
        };
        tokio::select! {
            () = accept => unreachable!("it goes on"),
            _ = drained => element.drain(Duration::ZERO).await,
        }
    });
    for at in [&at_one, &at_other] {
        let user = user(at).start().await.unwrap();
        let mut session = soon("connect", user.connect("echo")).await.unwrap();
        let answer = soon("an answer", ask(&mut session, "hello")).await;
        assert_eq!(answer, (format!("{name} hello"), vec![]));
    }
    // It leaves all of them.
    drain.send(()).unwrap();
    soon("draining", serving).await.unwrap();
    until_count(&one, 0).await;
    until_count(&other, 0).await;
}

/// A registrar's death concerns its scope and no other.
#[tokio::test]
async fn a_scope_whose_registrar_is_gone_leaves_the_others_as_they_are() {
    let [(one, at_one), (other, at_other)] = two_scopes().await;
    let elsewhere = Membership::new("echo").registrars([at_other.clone()]);
    let element = element(&at_one)
        .also_in(elsewhere)
        .register()
        .await
        .unwrap();
    soon("the end", other.shutdown()).await;
    let gone = async {
        while element.members()[0].home_registrar().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the loss of the registrar", gone).await;
    assert_eq!(element.home_registrar(), Some(at_one));
    assert!(element.is_registered());
    assert_eq!(element_count(&one).await, 1);
    // Leaving is not held up by the registrar that is gone.
    soon("deregister", element.deregister()).await;
    assert_eq!(element_count(&one).await, 0);
}

#[tokio::test]
async fn a_pool_user_uses_several_operational_scopes() {
    let [(_one, at_one), (_other, at_other)] = two_scopes().await;
    let here = element(&at_one).register().await.unwrap();
    let elsewhere = element(&at_other).also_in(Membership::new("calc"));
    let elsewhere = elsewhere.register().await.unwrap();
    let calc = elsewhere.members()[0].id();
    let name = elsewhere.id();
    let _serving = (serve_echo(here), serve_echo(elsewhere));
    let users = [user(&at_one).start().await, user(&at_other).start().await];
    let scopes = OperationalScopes::new(users.map(|user| user.unwrap()));

    let mut session = soon("connect", scopes.connect("calc")).await.unwrap();
    assert_eq!(session.element().id, calc);
    assert_eq!(ask(&mut session, "2+2").await.0, format!("{name} 2+2"));
    let resolution = soon("resolve", scopes.resolve("calc")).await.unwrap();
    assert_eq!(resolution.pool_elements[0].id(), calc);
    let (_, server) = soon("resolve", scopes.primary_server("calc"))
        .await
        .unwrap();
    assert_eq!(server.id(), calc);
    soon("connect", scopes.connect("echo")).await.unwrap();
    let nobody = soon("resolve", scopes.resolve("nobody")).await;
    assert_eq!(nobody, Err(ResolveFailed::UnknownPool));
    let nobody = soon("connect", scopes.connect("nobody")).await.err();
    let unknown = ConnectFailed::Resolve(ResolveFailed::UnknownPool);
    assert_eq!(nobody, Some(unknown));
}

#[tokio::test]
async fn a_pool_that_cannot_be_joined_leaves_the_others_as_they_are() {
    let registrar = registrar().start().await.unwrap();
    let at = sctp(&registrar);
    let _other = element(&at).register().await.unwrap();
    let builder = element(&at).id(PoolElementId(1));
    let mut element = builder
        .also_in(Membership::new("calc"))
        .register()
        .await
        .unwrap();
    let wrong = Membership::new("echo").policy(Policy::Random);
    let failed = element.join(wrong).await;
    assert!(
        matches!(failed, Err(RegisterFailed::Rejected(Some(_)))),
        "{failed:?}"
    );
    assert_eq!(element.members().len(), 1);
    assert!(element.is_registered());
    assert_eq!(element_count(&registrar).await, 3);
}

/// The registrar that takes over finds the one of its pools like the other.
#[tokio::test]
async fn all_registrations_of_a_pool_element_are_taken_over() {
    let survivor = registrar().start().await.unwrap();
    let peer = survivor.endpoints().as_peer();
    let second = registrar().peer(peer).start().await.unwrap();
    until_peers(&second, 1).await;
    // It knows no other registrar.
    let builder = element(&sctp(&second)).also_in(Membership::new("calc"));
    let mut element = builder.register().await.unwrap();
    until_count(&survivor, 2).await;
    soon("the end", second.shutdown()).await;
    let home = sctp(&survivor).udp_port;
    let is_home = |at: Option<RegistrarAddress>| at.is_some_and(|at| at.udp_port == home);
    let taken_over = async {
        while !is_home(element.home_registrar()) || !is_home(element.members()[0].home_registrar())
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon("new homes", taken_over).await;

    // The registrar that came to it is no user: the application is told that it has gone.
    let user = user(&sctp(&survivor)).start().await.unwrap();
    for pool in ["echo", "calc"] {
        let session = soon("connect", user.connect(pool)).await.unwrap();
        session.send("hello").await.unwrap();
        let received = loop {
            let mut connection = soon("accept", element.accept()).await.unwrap();
            if let Some(received) = soon("a message", connection.recv()).await {
                break received;
            }
        };
        assert_eq!(received.data, b"hello");
    }
    let drained = soon("draining", element.drain(Duration::from_secs(60))).await;
    assert_eq!(drained.moved, 0, "{drained:?}");
}

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// A pool more costs descriptors and no thread.
#[tokio::test]
async fn a_hundred_pools_take_no_threads() {
    const POOLS: usize = 100;
    let registrar = registrar().start().await.unwrap();
    let builder = element(&sctp(&registrar));
    let mut element = builder.register().await.unwrap();
    // All shared threads are there.
    for i in 0..std::thread::available_parallelism().unwrap().get() {
        let pool = Membership::new(format!("first {i}").as_str());
        element.join(pool).await.unwrap();
    }
    let before = [count("/proc/self/task"), count("/proc/self/fd")];
    let start = std::time::Instant::now();
    for i in 0..POOLS {
        let pool = Membership::new(format!("pool {i}").as_str());
        element.join(pool).await.unwrap();
    }
    let took = start.elapsed();
    let after = [count("/proc/self/task"), count("/proc/self/fd")];
    println!("{POOLS} pools more: threads, descriptors {before:?} to {after:?}, {took:?}");
    // Other tests of this process have theirs.
    assert!(after[0] < before[0] + POOLS / 2, "{before:?} {after:?}");
    assert!(element.members().iter().all(Member::is_registered));
    soon("deregister", element.deregister()).await;
    assert_eq!(element_count(&registrar).await, 0);
}
