//! Makes strict JSON out of what the exchange accepts besides: unquoted keys and single quotes.
//!
//! Only for frames of clients (docs/EXCHANGE.md 9, one source). Strict JSON passes unchanged.

/// Longest client frame that is read.
pub const CLIENT_FRAME_LEN_MAX: usize = 16_384;

/// Quotes bare words that are keys and turns single quotes into double ones.
pub fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\'' => copy_string(c, &mut rest, &mut out),
            c if c.is_ascii_alphabetic() => {
                let mut word = String::from(c);
                while let Some(next) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    word.push(next);
                }
                while rest.next_if(|c| c.is_whitespace()).is_some() {}
                if rest.peek() == Some(&':') {
                    out.push_str(&format!("\"{word}\""));
                } else {
                    out.push_str(&word);
                }
            }
            c => out.push(c),
        }
    }
    out
}

fn copy_string(quote: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    out.push('"');
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(rest.next());
            }
            c if c == quote => break,
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_frames_become_json_and_json_stays() {
        let check = |text: &str, expected: &str| assert_eq!(strict(text), expected);
        check(
            "[151,{type:151,channel:'obdiff',event:'BTCTRY',join:true}]",
            r#"[151,{"type":151,"channel":"obdiff","event":"BTCTRY","join":true}]"#,
        );
        let strict_text = r#"[151, {"type": 151, "event": "a:b\"c'", "join": false}]"#;
        check(strict_text, strict_text);
    }
}
