//! Serves the simulated exchange until it is interrupted: `serve [PORT] [NAME=VALUE]...`.
//!
//! Prints one JSON line when it is ready. For trying clients by hand; the product has its own command for this.

use btcbot_simulator::server::{RequestLog, Server};
use btcbot_simulator::venue::VenueOptions;
use secrecy::ExposeSecret;
use std::net::{Ipv4Addr, SocketAddr};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = VenueOptions::default();
    let mut port = 0;
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(number) => port = number,
            Err(_) => options.profile.set(&argument)?,
        }
    }
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = Server::start(addr, &options, RequestLog::none()).await?;
    let ready = serde_json::json!({
        "rest": server.rest_url(),
        "ws": server.ws_url(),
        "key": server.api_key(),
        "secret": server.api_secret().expose_secret(),
        "seed": options.seed,
        "switches": options.profile.differences(),
    });
    println!("{ready}");
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
