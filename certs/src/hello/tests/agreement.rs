//! Our reading against that of rustls, over bytes that nobody chose.

use super::*;

/// Both sides of the comparison: our reading of `bytes` in these segments, and rustls alone.
fn agree(bytes: &[u8], size: usize) -> Result<(), TestCaseError> {
    let ours = read(bytes, size.max(1), 65_535);
    match (ours, rustls_alone(bytes)) {
        (Ok(Some(hello)), Theirs::Hello(name)) => {
            prop_assert_eq!(hello.sni(), name.as_deref());
            if let Some(name) = name {
                let parsed = Sni::parse(&name);
                prop_assert_eq!(parsed.as_ref().map(Sni::as_str), Ok(name.as_str()));
            }
        }
        // Headers tell us sooner than rustls, except for what it tells from a part of one.
        (Ok(None) | Err(_), Theirs::Unfinished)
        | (Err(_), Theirs::Refused(_))
        | (
            Ok(None),
            Theirs::Refused(Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            )),
        ) => {}
        // We insist on the version that every TLS since 1.0 has in its record headers.
        (Err(error), Theirs::Hello(_)) if error.reason == Reason::NotTls => {}
        (ours, theirs) => {
            let ours = ours.map(|hello| hello.map(|hello| hello.sni().map(str::to_owned)));
            return Err(TestCaseError::fail(format!("{ours:?} against {theirs:?}")));
        }
    }
    Ok(())
}

/// Texts that look like names, some of which are.
fn near_names() -> impl Strategy<Value = Vec<u8>> {
    let letters = proptest::char::range('A', 'z').prop_map(|letter| u8::try_from(letter).unwrap());
    let byte = prop_oneof![8 => letters, 2 => Just(b'.'), 1 => Just(b'-'), 1 => Just(b'_'), 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn arbitrary_bytes_are_read_as_rustls_reads_them(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        size in 1usize..64,
    ) {
        agree(&bytes, size)?;
    }

    #[test]
    fn arbitrary_messages_in_sound_headers_are_read_as_rustls_reads_them(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        sizes in proptest::collection::vec(1usize..50, 0..6),
        size in 1usize..64,
    ) {
        let mut message = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
        message.extend(body);
        agree(&records(&message, &sizes), size)?;
    }

    #[test]
    fn mutated_hellos_in_any_records_and_segments_are_read_as_rustls_reads_them(
        shares in prop_oneof![Just(Shares::Classic), Just(Shares::Hybrid)],
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        sizes in proptest::collection::vec(1usize..400, 0..8),
        cut in any::<prop::sample::Index>(),
        size in 1usize..600,
    ) {
        let original = captured(NAME, shares, &[&TLS13, &TLS12]);
        let mut bytes = records(message(&original), &sizes);
        for (index, value) in mutations {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        agree(&bytes, size)?;
        agree(&bytes[..cut.index(bytes.len() + 1)], size)?;
    }

    #[test]
    fn any_name_is_the_one_that_the_server_connection_reports_later(
        name in near_names(),
    ) {
        let bytes = named(&name);
        agree(&bytes, 50)?;
    }
}
