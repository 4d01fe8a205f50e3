//! The least that a client needs: each line of standard input goes to the pool, and what comes back
//! is printed. `cargo run --example echo_user [REGISTRAR …]`
//!
//! [`echo_element`](echo_element.rs) says how to run both. `kill -9` the element that answers, and
//! type another line: a failover is told, the line is sent again, and the other element answers.

use rserpool::{Multicast, PoolUser, RegistrarAddress, SessionEvent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registrars = std::env::args().skip(1).map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = if registrars.is_empty() {
        Multicast::default()
    } else {
        Multicast::off()
    };
    let user = PoolUser::builder()
        .registrars(registrars)
        .multicast(multicast)
        .start()
        .await?;
    let mut session = user.connect("echo").await?;
    println!("connected to pool element {}", session.element().id);
    for line in std::io::stdin().lines() {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        session.send(line.as_str()).await?;
        loop {
            let event = session.recv().await?;
            if let SessionEvent::Message(received) = event {
                println!("{}", String::from_utf8_lossy(&received.data));
                break;
            }
            println!("{event:?}");
            if matches!(event, SessionEvent::Failover { .. }) {
                session.send(line.as_str()).await?;
            }
        }
    }
    Ok(())
}
