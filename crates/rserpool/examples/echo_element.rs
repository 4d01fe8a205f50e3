//! The least that a server needs: it echoes, with its identifier before what it was sent.
//!
//! ```sh
//! rsp registrar & cargo run --example echo_element & cargo run --example echo_element
//! cargo run --example echo_user              # in a second terminal: type lines
//! ```
//!
//! Arguments are registrars; without any, they are found by multicast. Ctrl-C leaves the pool.

use rserpool::{Multicast, PoolElement, RegistrarAddress, Timers};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registrars = std::env::args().skip(1).map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = if registrars.is_empty() {
        Multicast::default()
    } else {
        Multicast::off()
    };
    let mut element = PoolElement::builder("echo")
        .registrars(registrars)
        .multicast(multicast)
        .timers(Timers::default())
        .register()
        .await?;
    println!("pool element {} is registered", element.id());
    let name = element.id().to_string();
    loop {
        tokio::select! {
            Some(mut connection) = element.accept() => {
                let name = name.clone();
                tokio::spawn(async move {
                    while let Some(received) = connection.recv().await {
                        let answer = [name.as_bytes(), b" ", &received.data].concat();
                        // The user being gone, so is who wants to know.
                        let _ = connection.send(answer).await;
                    }
                });
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    element.deregister().await;
    Ok(())
}
