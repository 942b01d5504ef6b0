//! What a command prints to standard output, and what it says where it can't.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// The exit code of a wrong use.
const USAGE: u8 = 2;
/// How much of a line is shown, in characters.
const SHOWN: usize = 200;

/// Prints a text; a reader who has seen enough of it, such as `head`, is no error.
///
/// # Errors
/// The text can't be written for another reason.
pub(crate) fn print(text: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says why the command can't do what it was asked, and how it ends then.
#[expect(clippy::print_stderr, reason = "this is what the user is told")]
pub(crate) fn misused(message: &str) -> ExitCode {
    eprintln!("landbridge: {message}");
    ExitCode::from(USAGE)
}

/// The first line of an answer, without control characters, as much of it as is worth showing.
pub(crate) fn first_line(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.lines().next().unwrap_or_default().chars().filter(|it| !it.is_control()).take(SHOWN).collect()
}
