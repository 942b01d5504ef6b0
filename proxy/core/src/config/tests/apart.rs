//! A document that is taken apart means what it means as a whole, and every mistake is told alike.

use proptest::prelude::*;

use super::*;

const EVERY_KEY: &str = include_str!("every-key.toml");
const MORE: &str = "
# One more.
[[service]]
host = 'more.example'
port = 80
allow = [
  'spiffe://cluster.local/*',
]
endpoints = [{ address = '10.0.0.7:80', labels = { version = 'v1' } }]
  [[service.subset]]
  name = 'v1'
  labels.version = 'v1'

[node.more]
[[service]]
sni = ['last.example']
";

fn source() -> Source {
    Source { name: "gateway.toml".to_owned(), dir: PathBuf::from("/etc/landbridge") }
}

/// What is meant and what is said, if the text can be taken apart.
fn compare(text: &str) -> bool {
    let told = |(config, found): (Option<Config>, Findings)| {
        (config.filter(|_| !found.refuse()), found.into_problems(text, "gateway.toml"))
    };
    match one_by_one(text, &source()) {
        Some(apart) => {
            assert_eq!(told(apart), told(whole(text, &source())), "{text}");
            true
        }
        None => false,
    }
}

#[test]
fn a_file_with_every_key_is_taken_apart_and_means_the_same() {
    assert!(compare(EVERY_KEY));
    assert!(compare(&format!("{EVERY_KEY}{MORE}")));
    assert!(compare(&with_service(
        "sni = ['a.b']\n[[service]]\nsni = ['a.b']\nprot = 1\n[service.upstream_tls]\n"
    )));
}

#[test]
fn whatever_could_be_read_otherwise_is_read_as_a_whole() {
    let two = with_service("sni = ['a.b']\n[[service]]\nsni = ['c.d']\n");
    assert!(compare(&two));
    for odd in [
        format!("{two}x = '''\n[[service]]\n'''\n"),
        format!("{two}x = \"\"\"\n[[service]]\n\"\"\"\n"),
        format!("service = []\n{two}"),
        format!("service.x = 1\n{two}"),
        format!("{two}[service]\n"),
        format!("{two}[\"service\".x]\n"),
        format!("{two}[ service.x]\n"),
        format!("{two}[node]\n[[service.subset]]\nname = 'x'\n"),
        format!("{two}x = [\n[[service]]\n"),
        format!("{two}x = 1 2\n"),
        format!("[node\n{two}"),
        with_service("sni = ['a.b']\n"),
    ] {
        assert!(!compare(&odd), "{odd}");
    }
}

proptest! {
    #[test]
    fn no_change_of_a_file_makes_the_two_ways_differ(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..30_usize, "[\\[\\]='\".{},#\na-z0-9 ]{0,6}|\n\\[\\[?service(\\.subset)?\\]\\]?\n"), 0..4),
        lines in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
    ) {
        let mut text: Vec<String> = format!("{EVERY_KEY}{MORE}").split_inclusive('\n').map(str::to_owned).collect();
        for (from, to) in lines {
            let line = text.remove(from.index(text.len()));
            text.insert(to.index(text.len()), line);
        }
        let mut text: Vec<char> = text.concat().chars().collect();
        for (cut, gone, put) in cuts {
            let cut = cut.index(text.len());
            let end = (cut + gone).min(text.len());
            text.splice(cut..end, put.chars());
        }
        compare(&text.into_iter().collect::<String>());
    }
}
