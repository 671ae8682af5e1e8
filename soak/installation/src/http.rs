//! One request to the read-only plane of a process: one connection, the whole answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Asks for a path; returns status code and body.
///
/// # Errors
/// No connection, no whole answer in time, or no HTTP.
pub fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::other("not an answer"))
}

fn read(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some((code, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_code_and_all_behind_the_first_empty_line() {
        let check = |answer: &str, expected: Option<(u16, &str)>| {
            let expected = expected.map(|(code, body)| (code, body.to_owned()));
            assert_eq!(read(answer), expected, "{answer:?}");
        };
        check("HTTP/1.1 200 OK\r\na: b\r\n\r\nx", Some((200, "x")));
        check(
            "HTTP/1.1 503 No\r\n\r\nx\r\n\r\ny",
            Some((503, "x\r\n\r\ny")),
        );
        check("HTTP/1.1 200 OK\r\na: b\r\n", None);
        check("HTTP/1.1 fine\r\n\r\n", None);
        check("", None);
    }
}
