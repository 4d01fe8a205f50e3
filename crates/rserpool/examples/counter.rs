//! A server with state that no failure loses: a sum for each session, kept in sealed cookies.
//!
//! ```sh
//! rsp registrar & cargo run --example counter serve & cargo run --example counter serve
//! cargo run --example counter                # in a second terminal: type numbers
//! ```
//!
//! Each number is answered with the sum so far and who added it up. `kill -9` that one: the other
//! one goes on with the sum, because the user gave it the cookie of the first one before anything
//! else. A number that was sent again is added once: requests are numbered, and the number of the
//! last one is part of the state.

use rserpool::{
    Connection, CookieKey, CookieSeal, Multicast, PoolElement, PoolUser, RegistrarAddress,
    SessionEvent,
};

/// All elements of the pool need the same key; take it from where you keep your secrets.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).peekable();
    let serves = arguments.next_if_eq("serve").is_some();
    // Further arguments are registrars; without any, they are found by multicast.
    let registrars = arguments.map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = match registrars[..] {
        [] => Multicast::default(),
        _ => Multicast::off(),
    };
    if serves {
        let element = PoolElement::builder("counter").registrars(registrars);
        serve(element.multicast(multicast).register().await?).await
    } else {
        let user = PoolUser::builder().registrars(registrars);
        count(user.multicast(multicast).start().await?).await
    }
}

/// The state of a session.
#[derive(Default)]
struct State {
    /// The last request that was added.
    number: u64,
    sum: u64,
}

impl State {
    fn encode(&self) -> Vec<u8> {
        format!("{} {}", self.number, self.sum).into_bytes()
    }

    fn decode(octets: &[u8]) -> Option<Self> {
        let (number, sum) = numbers(octets)?;
        Some(Self { number, sum })
    }
}

/// A request is its number and what to add, a state its last number and the sum.
fn numbers(octets: &[u8]) -> Option<(u64, u64)> {
    let (first, second) = std::str::from_utf8(octets).ok()?.split_once(' ')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

async fn serve(mut element: PoolElement) -> Result<(), Failure> {
    println!("element {} counts", element.id());
    let key: CookieKey = KEY.parse()?;
    let seal = CookieSeal::new(key, "counter", element.id());
    let name = element.id().to_string();
    while let Some(user) = element.accept().await {
        let (seal, name) = (seal.clone(), name.clone());
        tokio::spawn(async move {
            if let Err(failure) = add_up(user, &seal, &name).await {
                eprintln!("a session has ended: {failure}");
            }
        });
    }
    Ok(())
}

async fn add_up(
    mut user: Connection,
    seal: &CookieSeal,
    name: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut state = State::default();
    while let Some(request) = user.recv().await {
        // Another element began this session. What was not sealed by one of us is an error.
        if let Some(cookie) = user.take_cookie_echo() {
            state = State::decode(&seal.open(&cookie)?).ok_or("a state of another version")?;
        }
        let (number, value) = numbers(&request.data).ok_or("not understood")?;
        if number != state.number {
            let sum = state.sum.wrapping_add(value);
            state = State { number, sum };
            // Before the answer: who has the answer has the cookie.
            user.send_cookie(seal.seal(&state.encode())?).await?;
        }
        user.send(format!("{} by {name}", state.sum)).await?;
    }
    Ok(())
}

async fn count(user: PoolUser) -> Result<(), Failure> {
    let mut session = user.connect("counter").await?;
    let mut number = 0_u64;
    for line in std::io::stdin().lines() {
        // What the element does not understand, the next one would not either.
        let Ok(value) = line?.trim().parse::<u64>() else {
            eprintln!("that is no number from 0 on");
            continue;
        };
        number += 1;
        let request = format!("{number} {value}");
        session.send(request.as_str()).await?;
        loop {
            let event = session.recv().await?;
            if let SessionEvent::Message(answer) = event {
                println!("{}", String::from_utf8_lossy(&answer.data));
                break;
            }
            if let SessionEvent::Failover { .. } = event {
                // It may have been added before the failure, or not: the element knows.
                session.send(request.as_str()).await?;
            }
        }
    }
    Ok(())
}
