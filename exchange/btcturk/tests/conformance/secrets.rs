//! No key, secret, signature or login frame shows in any Debug or error text (C-45).

use super::*;
use btcbot_btcturk::rest::account;
use btcbot_btcturk::sign::{SignError, Signer};

const KEY: &str = "11111111-2222-3333-4444-555555555555";
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn example() -> Signer {
    Signer::new(KEY.into(), &SECRET.into()).expect("the example pair signs")
}

fn check_hidden(shown: &str) {
    let signer = example();
    let headers = signer.rest_headers(1);
    let login = signer.ws_login(1);
    let [_, _, (_, signature)] = headers.expose();
    for hidden in [KEY, SECRET, signature, login.expose(), "LQLqy4DLHVfwTujp"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn signers_headers_and_logins_show_nothing() {
    let signer = example();
    check_hidden(&format!(
        "{signer:?} {signer:#?} {:?} {:?}",
        signer.rest_headers(1),
        signer.ws_login(1)
    ));
}

#[test]
fn errors_quote_nothing_of_what_they_refuse() {
    for error in [SignError::Key, SignError::EmptySecret, SignError::NotBase64] {
        check_hidden(&format!("{error} {error:?}"));
    }
    let signer = example();
    let login = signer.ws_login(1).expose().to_owned();
    // A login whose members are of the wrong type is where a parser's message would quote the signature.
    for broken in [
        login.clone(),
        login.replace("3000", &format!("\"{SECRET}\"")),
        login.replace(",\"nonce\":3000", ""),
    ] {
        if let Err(error) = wire::read_client(&broken) {
            check_hidden(&format!("{error} {error:?}"));
        }
        let server = ws::decode(&broken);
        check_hidden(&format!("{server:?}"));
    }
    let body = format!(r#"{{"data":{{"asks":"{SECRET}","bids":"{KEY}"}},"success":true}}"#);
    let error = account::open_orders(&reply(200, &body)).unwrap_err();
    check_hidden(&format!("{error} {error:?}"));
}
