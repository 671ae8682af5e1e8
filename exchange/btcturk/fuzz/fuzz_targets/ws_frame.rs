//! Any text as a frame: of the server, of a client, and as an acknowledgement. What is read must write and read back.
#![no_main]

use btcturk::{wire, ws};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let decoded = ws::decode(text);
    let _ = ws::ack_subject(text);
    let _ = wire::read_client(text);
    if let Ok(frame) = wire::read_server(text) {
        let written = wire::encode_frame(&frame);
        assert_eq!(wire::read_server(&written).as_ref(), Ok(&frame));
        if written.len() <= ws::FRAME_BYTES_MAX && text.len() <= ws::FRAME_BYTES_MAX {
            assert_eq!(ws::decode(&written), decoded);
        }
    }
});
