//! Links of the documents: each relative one leads to a file that is there, and to a heading in it.

use std::path::{Component, Path, PathBuf};

use crate::lexer::line_of;
use crate::tree::{assert_none, files, read, root};

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let documents: Vec<String> =
        files(".md").into_iter().filter(|path| !path.contains('/') || path.starts_with("docs/")).collect();
    assert!(!documents.is_empty(), "no document found");
    let findings: Vec<String> = documents
        .iter()
        .flat_map(|path| {
            dead_links(path, &read(path), &|file| std::fs::read_to_string(root().join(file)).ok())
        })
        .collect();
    assert_none("links that lead nowhere", &findings);
}

/// `open` returns a file's text, by its path from the root.
fn dead_links(path: &str, text: &str, open: &dyn Fn(&Path) -> Option<String>) -> Vec<String> {
    let prose = without_code(text);
    let mut findings = Vec::new();
    for (offset, target) in targets(&prose) {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let place = format!("{path}:{}: {target}", line_of(&prose, offset));
        let file = if file.is_empty() { PathBuf::from(path) } else { resolve(path, file) };
        let content = if file.as_path() == Path::new(path) { Some(text.to_owned()) } else { open(&file) };
        match content {
            None if root().join(&file).is_dir() => {}
            None => findings.push(format!("{place}: no such file")),
            Some(content) if !anchor.is_empty() && !anchors(&content).iter().any(|it| it == anchor) => {
                findings.push(format!("{place}: no such heading"));
            }
            Some(_) => {}
        }
    }
    findings
}

/// The targets of inline links and of reference definitions that stay within the repository.
fn targets(prose: &str) -> Vec<(usize, &str)> {
    let inline = prose.match_indices("](").map(|(at, _)| at + 2);
    let defined = prose.match_indices("]: ").map(|(at, _)| at + 3).filter(|at| {
        let line = prose[..*at].rsplit('\n').next().unwrap_or("");
        line.starts_with('[') && line.matches(']').count() == 1
    });
    let ends = |char: char| char == ')' || char.is_whitespace();
    inline
        .chain(defined)
        .filter_map(|at| prose[at..].split(ends).next().map(|target| (at, target.trim_matches(['<', '>']))))
        .filter(|(_, target)| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The same text, of the same length, with code blocks and code spans blanked out.
fn without_code(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= fence;
        let mut span = false;
        for char in line.chars() {
            span ^= char == '`';
            let keep = char == '\n' || !(fenced || fence || span);
            prose.extend(if keep { vec![char] } else { vec![' '; char.len_utf8()] });
        }
    }
    prose
}

/// What a heading is called in a link, as GitHub does it; a repeated heading gets a number.
fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if let Some((_, rest)) = line.split_once("<a id=\"") {
            found.extend(rest.split('"').next().map(str::to_owned));
        }
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|char| char.is_alphanumeric() || "-_ ".contains(*char));
        let slug: String = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let repeated = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone()).chain(repeated).find(|name| !found.contains(name));
        found.extend(free);
    }
    found
}

fn resolve(from: &str, target: &str) -> PathBuf {
    let base = if target.starts_with('/') { Path::new("") } else { Path::new(from).parent().unwrap() };
    let mut resolved = PathBuf::new();
    for part in base.join(target.trim_start_matches('/')).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::Normal(name) => resolved.push(name),
            _ => {}
        }
    }
    resolved
}

#[test]
fn dead_links_and_missing_headings_are_caught() {
    let open =
        |file: &Path| (file == Path::new("README.md")).then(|| "# A `b` (c), d\n## A\n## A\n".to_owned());
    let text = "[a](../README.md)\n[b](../README.md#a-b-c-d) [c](../README.md#a-1) [d](#top)\n\
        # Top\n`[e](x.md)`\n```\n[f](y.md)\n```\n[g](gone.md \"title\")\n\
        [h](../README.md#gone)\n[i](https://example.org/x)\n[j]: gone-too.md\n";
    assert_eq!(
        dead_links("docs/x.md", text, &open),
        [
            "docs/x.md:8: gone.md: no such file",
            "docs/x.md:9: ../README.md#gone: no such heading",
            "docs/x.md:11: gone-too.md: no such file"
        ]
    );
}
