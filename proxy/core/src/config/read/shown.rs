//! How values are shown in messages.

use super::tree::Value;

/// So much of a value is shown at most, in characters.
const LONGEST: usize = 60;

/// What was found.
pub(super) fn value(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => format!("{:?}", shortened(text)),
        Value::Integer(number, None) => number.to_string(),
        Value::Integer(_, Some(written)) | Value::Number(written) | Value::Date(written) => {
            shortened(written)
        }
        Value::Flag(flag) => flag.to_string(),
        Value::Null => "null".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

/// What to do about a value that is not what was expected, where a slip is recognised.
pub(super) fn help(value: &Value<'_>, expected: &str) -> Option<String> {
    match value {
        Value::Text(text)
            if expected.contains("number")
                && !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Some(format!("write the number without quotes: {}", shortened(text)))
        }
        Value::Text(_) if expected == LIST => Some(format!("write a list: [{}]", self::value(value))),
        Value::Table(_) if expected == LIST => Some(
            "write a list in [ ], or the table's name in double brackets for each entry: [[name]]".to_owned(),
        ),
        Value::List(list)
            if expected == TABLE
                && list.first().is_some_and(|item| matches!(item.value, Value::Table(_))) =>
        {
            Some("there is one of these only: write its name in single brackets: [name]".to_owned())
        }
        Value::Integer(..) | Value::Number(_)
            if expected.contains(&format!("\"{}\"", self::value(value))) =>
        {
            Some(format!("write it in quotes: \"{}\"", self::value(value)))
        }
        _ => None,
    }
}

pub(super) const LIST: &str = "a list";
pub(super) const TABLE: &str = "a table";
pub(super) const TEXT: &str = "a text in quotes";

/// `"a", "b" or "c"`.
pub(super) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// As much of a text as is shown.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
