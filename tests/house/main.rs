//! The house law as tests: sizes, names, arrows between crates, the state of the documents.
//!
//! Each module holds one chapter: a check that reads the tree and names file and line of what breaks the
//! law, and beside it a test that the check catches an offender.

#![expect(
    clippy::string_slice,
    reason = "offsets come from the text that they slice; a wrong one fails the test, as it should"
)]

// A test binary is compiled for tests alone; the attribute says so to the linter as well.
#[cfg(test)]
mod arrows;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod items;
#[cfg(test)]
mod lexer;
#[cfg(test)]
mod links;
#[cfg(test)]
mod names;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod style;
#[cfg(test)]
mod tree;
