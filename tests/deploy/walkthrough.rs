//! The documents beside the files: their configurations are ones that the gateway takes.

use crate::{configuration, read};

/// The code blocks of one language, one after the other.
fn blocks(document: &str, language: &str) -> String {
    let mut inside = false;
    let mut code = String::new();
    for line in read(document).lines() {
        match line.trim().strip_prefix("```") {
            Some(fence) => inside = fence == language && !inside,
            None if inside => {
                code.push_str(line);
                code.push('\n');
            }
            None => {}
        }
    }
    code
}

#[test]
fn the_configurations_of_the_documents_are_ones_that_the_gateway_takes() {
    for document in ["docs/two-clusters.md", "deploy/README.md"] {
        let toml = blocks(document, "toml");
        assert!(!toml.is_empty(), "{document} has none");
        // All blocks of a document make up one file.
        let accepted = configuration(document, &toml);
        let warnings: Vec<String> = accepted.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, [""; 0], "{document}");
    }
}
