//! Peers that call each other back, though one has died in between (RFC 3237 §2.3): whoever asks
//! is a pool element itself and says so by a business card.
//!
//! ```sh
//! rsp registrar & cargo run --example peers remind    # reminds others, later
//! cargo run --example peers listen            # in a second terminal: one of the pool `you`
//! cargo run --example peers ask 5             # in a third: another one of `you`
//! ```
//!
//! The one that asks wants to be reminded in 5 s, and ends at once, as if it had died. Then the
//! reminder calls the pool that was on its card, and the one that listens is told.

use rserpool::{
    Connection, ConnectionEvent, Multicast, PoolElement, PoolElementBuilder, PoolUser,
    RegistrarAddress,
};
use std::time::Duration;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).peekable();
    let role = arguments.next().unwrap_or_default();
    let seconds = arguments.next_if(|next| next.parse::<u8>().is_ok());
    // Further arguments are registrars; without any, they are found by multicast.
    let registrars = arguments.map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = match registrars[..] {
        [] => Multicast::default(),
        _ => Multicast::off(),
    };
    let element = |pool: &str| {
        let element = PoolElement::builder(pool).registrars(registrars.clone());
        element.multicast(multicast.clone())
    };
    let user = PoolUser::builder().registrars(registrars.clone());
    let user = user.multicast(multicast.clone()).start().await?;
    match role.as_str() {
        "remind" => remind(element("reminders"), user).await,
        "listen" => listen(element("you")).await,
        "ask" => {
            ask(
                element("you"),
                user,
                &seconds.ok_or("in how many seconds?")?,
            )
            .await
        }
        _ => Err("remind, listen or ask".into()),
    }
}

/// Takes what is to be remembered, and calls back.
async fn remind(element: PoolElementBuilder, user: PoolUser) -> Result<(), Failure> {
    let mut element = element.register().await?;
    println!("element {} reminds", element.id());
    while let Some(asker) = element.accept().await {
        let user = user.clone();
        tokio::spawn(async move {
            if let Err(failure) = remember(asker, user).await {
                eprintln!("a reminder is lost: {failure}");
            }
        });
    }
    Ok(())
}

async fn remember(mut asker: Connection, user: PoolUser) -> Result<(), Failure> {
    let mut card = None;
    while let Some(event) = asker.recv_event().await {
        match event {
            ConnectionEvent::BusinessCard(told) => card = Some(told),
            ConnectionEvent::Message(request) => {
                let seconds = String::from_utf8(request.data)?.parse()?;
                asker.send("I will").await?;
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                // Whoever asked may be gone: any element of its pool will do, and which one is
                // there the registrar knows better than an old card.
                let card = card.take().ok_or("it has not said who it is")?;
                let mut session = user.connect(card.pool_handle).await?;
                session.send(format!("{seconds} s are over")).await?;
                session.recv().await?;
            }
            ConnectionEvent::CookieEcho(_) | _ => {}
        }
    }
    Ok(())
}

/// Is called, and thanks.
async fn listen(element: PoolElementBuilder) -> Result<(), Failure> {
    let mut element = element.register().await?;
    println!("element {} listens", element.id());
    while let Some(mut caller) = element.accept().await {
        while let Some(message) = caller.recv().await {
            println!("{}", String::from_utf8_lossy(&message.data));
            caller.send("thanks").await?;
        }
    }
    Ok(())
}

/// Asks for a reminder and ends.
async fn ask(element: PoolElementBuilder, user: PoolUser, seconds: &str) -> Result<(), Failure> {
    let element = element.register().await?;
    let mut session = user.connect("reminders").await?;
    let card = element.business_card(&user).await?;
    session.set_business_card(card).await;
    session.send(seconds).await?;
    session.recv().await?;
    println!("element {} dies", element.id());
    std::process::exit(0)
}
