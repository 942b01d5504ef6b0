//! The command line as a whole: consistent with itself, and its help in one style.

use clap::CommandFactory;

use super::*;

/// Every command, commands of commands included, with its name as typed.
fn commands() -> Vec<(String, clap::Command)> {
    fn walk(name: &str, command: &clap::Command, all: &mut Vec<(String, clap::Command)>) {
        all.push((name.to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            walk(&format!("{name} {}", below.get_name()), below, all);
        }
    }
    let mut command = Arguments::command();
    command.build();
    let mut all = Vec::new();
    walk("landbridge", &command, &mut all);
    all
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_says_in_a_line_what_it_does_and_shows_an_example_of_itself() {
    let commands = commands();
    assert!(commands.len() >= 10, "{}", commands.len());
    for (name, command) in commands {
        let about = command.get_about().unwrap_or_else(|| panic!("{name} says nothing")).to_string();
        assert!(about.starts_with(char::is_uppercase) && !about.ends_with('.'), "{name}: {about}");
        assert!(about.len() <= 100, "{name}: {about}");
        let examples =
            command.get_after_help().unwrap_or_else(|| panic!("{name} has no example")).to_string();
        assert!(examples.starts_with("Example"), "{name}: {examples}");
        assert!(examples.contains(&format!("\n  {name}")), "{name}: {examples}");
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
            let help = argument.get_help().unwrap_or_else(|| panic!("{name}: {argument} says nothing"));
            let help = help.to_string();
            assert!(
                help.starts_with(|first: char| !first.is_lowercase()) && !help.ends_with('.'),
                "{name}: {help}"
            );
        }
    }
}

#[test]
fn every_example_is_a_command_line_that_is_understood() {
    for (name, command) in commands() {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let joined = examples.replace("\\\n", " ");
        for line in joined.lines().filter(|line| line.starts_with("  landbridge")) {
            let words = line.split(" > ").next().unwrap_or_default().split_whitespace();
            assert!(Arguments::try_parse_from(words).is_ok(), "{name}: {line}");
        }
    }
}

#[test]
fn no_line_of_a_help_is_wider_than_a_hundred_letters() {
    for (name, mut command) in commands() {
        let help = command.render_long_help().to_string();
        // The usage line is made of the names of the arguments, and is not wrapped.
        let lines = help.lines().filter(|line| !line.starts_with("Usage:"));
        let wide: Vec<&str> = lines.filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
    }
}
