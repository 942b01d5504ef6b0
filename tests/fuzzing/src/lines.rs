//! Lines of the configuration stream: the same however they are cut, and what is read is written as it is read again.

use landbridge_control_client::wire::{LineError, Lines, ToClient, ToServer};

/// The first byte of the input says how the rest is cut.
pub fn lines(data: &[u8]) {
    let Some((cut, text)) = data.split_first() else { return };
    let mut expected: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let unfinished = expected.pop().map_or(0, <[u8]>::len);
    expected.retain(|line| !line.trim_ascii().is_empty());

    let mut lines = Lines::default();
    let mut seen = Vec::new();
    for chunk in text.chunks(usize::from(*cut) + 1) {
        let fed = lines.feed(chunk, |line| {
            seen.push(line.to_vec());
            Ok::<(), LineError>(())
        });
        fed.unwrap();
    }
    assert_eq!(seen, expected);
    assert_eq!(lines.unfinished(), unfinished);
    for line in seen {
        read(&line);
    }
}

fn read(line: &[u8]) {
    match ToClient::read(line) {
        Ok(Some(message)) => {
            let written = message.to_line();
            let again = ToClient::read(written.trim_ascii_end()).unwrap().unwrap();
            assert_eq!(again.to_line(), written);
        }
        Ok(None) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(Some(message)) = ToServer::read(line) {
        assert_eq!(ToServer::read(message.to_line().trim_ascii_end()).unwrap(), Some(message));
    }
}
