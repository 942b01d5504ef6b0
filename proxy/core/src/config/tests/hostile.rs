//! Texts that nobody writes in good faith: they end in a report too, and soon.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Far more than any of these takes, and far less than anything quadratic would.
const SOON: Duration = Duration::from_secs(20);
const MEGABYTE: usize = 1 << 20;

/// One text for each number, all in one.
fn many(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().concat()
}

fn ends_soon(what: &str, text: &str) -> Parsed {
    let start = Instant::now();
    let parsed = parsed(text);
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
    parsed
}

#[test]
fn ten_thousand_nested_lists_are_refused_and_not_followed() {
    for (open, close) in [("[", "]"), ("[", ""), ("{ a = ", " }"), ("{ a = ", "")] {
        let text = format!("x = {}{}", open.repeat(10_000), close.repeat(10_000));
        assert!(ends_soon(open, &text).is_err());
    }
}

#[test]
fn a_key_of_many_parts_is_refused_before_a_table_is_made_of_each() {
    for text in [
        format!("{}a = 1", "a.".repeat(MEGABYTE / 2)),
        format!("[{}a]", "a.".repeat(MEGABYTE / 2)),
        format!("x = {{ {}a = 1 }}", "a . ".repeat(MEGABYTE / 4)),
    ] {
        let problems = ends_soon("a long key", &text).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems.to_string().ends_with("this key has more parts than any key of this file can have"));
    }
    let deepest = format!("[{}a]\nx = {}", "a.".repeat(11), "{ a.a.a.a.a.a.a.a.a.a.a.a = ".repeat(75));
    assert!(ends_soon("the deepest that is parsed", &deepest).is_err());
    let text = format!("[{}a]\n", "a.".repeat(11));
    assert!(said(&text).starts_with("gateway.toml:1:2: error: a: there is no such key"), "{}", said(&text));
}

#[test]
fn a_megabyte_of_junk_is_refused_soon() {
    let junk: String = (0..MEGABYTE)
        .map(|index| char::from(32 + u8::try_from(index * index % 7919 * 31 % 95).unwrap()))
        .collect();
    let texts = [
        ("mixed without dots", junk.replace('.', " ")),
        ("mixed", junk),
        ("brackets", "[".repeat(MEGABYTE)),
        ("braces", "{".repeat(MEGABYTE)),
        ("quotes", "\"".repeat(MEGABYTE)),
        ("triple quotes", "'''\n".repeat(MEGABYTE / 4)),
        ("dots", ".".repeat(MEGABYTE)),
        ("spaces", " ".repeat(MEGABYTE)),
        ("missing values", "x=\n".repeat(MEGABYTE / 3)),
        ("one key again and again", "x=1\n".repeat(MEGABYTE / 4)),
        ("nul", "\0".repeat(MEGABYTE)),
        ("one table again and again", "[tls]\n".repeat(MEGABYTE / 6)),
    ];
    for (what, text) in texts {
        let _ = ends_soon(what, &text);
    }
}

#[test]
fn as_many_mistakes_as_a_megabyte_holds_are_reported_soon() {
    let keys = many(60_000, |number| format!("key_{number}=1\n"));
    let problems = ends_soon("unknown keys", &keys).unwrap_err();
    assert_eq!(problems.errors(), 60_000);

    let one_line = format!("x = [1]\n[listener]\naddress = [{}]", "5,".repeat(MEGABYTE / 2));
    let problems = ends_soon("a long line", &one_line).unwrap_err();
    assert_eq!(problems.errors(), MEGABYTE / 2 + 1);

    let names = many(40_000, |number| format!("'name-{number}.example',"));
    let twice = format!(
        "{AROUND}[[service]]\nsni=['a',{names}]\nendpoints=[]\n[[service]]\nsni=['b',{names}]\nallow=['spiffe://cluster.local/*']"
    );
    let problems = ends_soon("names of two services", &twice).unwrap_err();
    assert_eq!(problems.errors(), 40_000);

    let unknown = many(20_000, |n| format!("{{id='spiffe://cluster.local/*',from='c{n}'}},"));
    let text = good_service("").replace("'spiffe://cluster.local/*'", &unknown);
    assert_eq!(ends_soon("unknown trust entries", &text).unwrap_err().errors(), 20_000);
}

#[test]
fn ten_thousand_services_are_read_soon_whether_they_are_right_or_wrong() {
    let service = |number: usize, port: &str| {
        format!(
            "[[service]]\nhost = 'host-{number}.example'\nport = {port}\nallow = ['spiffe://cluster.local/*']\n\
             endpoints = [{{ address = '10.0.0.7:80', labels = {{ version = 'v1' }} }}]\n\
             [[service.subset]]\nname = 'v1'\nlabels = {{ version = 'v1' }}\n"
        )
    };
    let right = many(10_000, |number| service(number, "80"));
    let accepted = ends_soon("right", &format!("{AROUND}{right}")).unwrap();
    assert_eq!(accepted.config.services.len(), 10_000);
    let wrong = many(10_000, |number| service(number, "'http'"));
    assert_eq!(ends_soon("wrong", &format!("{AROUND}{wrong}")).unwrap_err().errors(), 10_000);
    let same = many(10_000, |_| service(1, "80"));
    assert_eq!(ends_soon("same", &format!("{AROUND}{same}")).unwrap_err().errors(), 9_999);
}

/// Every key of the file, so that mutations come across all of them.
const EVERY_KEY: &str = include_str!("every-key.toml");

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,300}") {
        let _ = parsed(&text);
    }

    #[test]
    fn no_text_that_looks_like_toml_makes_it_panic(
        text in "([a-c]{1,2}|\\[|\\]|\\[\\[|\\]\\]|=|\\.|\"|'|\n| |,|\\{|\\}|1|#|service|trust|host|-|true){0,60}"
    ) {
        let _ = parsed(&text);
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(
        cut in 0..EVERY_KEY.len(),
        gone in 0..40usize,
        put in "[\\[\\]='\".{},#\na-z0-9 ]{0,6}",
    ) {
        let mut text: Vec<char> = EVERY_KEY.chars().collect();
        let cut = cut.min(text.len());
        let end = (cut + gone).min(text.len());
        text.splice(cut..end, put.chars());
        let _ = parsed(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_value_of_any_kind_in_place_of_any_other_is_reported_and_no_more(
        line in 0..200usize,
        value in prop_oneof![
            Just("1"), Just("-1"), Just("1.5"), Just("true"), Just("''"), Just("'x'"), Just("[]"), Just("[1]"),
            Just("['']"), Just("{}"), Just("{ x = 1 }"), Just("2020-01-01"), Just("0xffffffffffffffffff"), Just("nan"),
        ],
    ) {
        let mut lines: Vec<String> = EVERY_KEY.lines().map(str::to_owned).collect();
        let count = lines.len();
        let line = lines.get_mut(line % count).unwrap();
        if let Some((key, _)) = line.split_once(" = ") {
            *line = format!("{key} = {value}");
        }
        let _ = parsed(&lines.join("\n"));
    }
}
