//! Writes the inputs that fuzzing begins with into the corpus: `cargo run -p landbridge-fuzzing --example seeds`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (target, input) in landbridge_fuzzing::seeds::seeds() {
        let count = counts.entry(target).or_default();
        *count += 1;
        std::fs::create_dir_all(corpus.join(target))?;
        std::fs::write(corpus.join(target).join(format!("seed-{count}")), input)?;
    }
    Ok(())
}
