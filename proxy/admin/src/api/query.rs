//! The query of a request: how many entries, and after which.

/// The most entries that one answer has.
const MOST: usize = 1000;

/// What the query of a request says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// How many entries, 1 to 1000.
    pub(super) limit: Option<usize>,
    /// The entry that they come after.
    pub(super) after: Option<String>,
}

impl Query {
    /// Reads `text`, which may have the parameters `known`, once each.
    ///
    /// # Errors
    /// What is not so, in a sentence that repeats nothing of the text.
    pub(super) fn of(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&key) {
                return Err(format!("expected no parameters but {known:?}"));
            }
            let twice = match key {
                "limit" => query.limit.replace(limit(value)?).is_some(),
                _ => query.after.replace(decoded(value)?).is_some(),
            };
            if twice {
                return Err("expected each parameter once".to_owned());
            }
        }
        Ok(query)
    }
}

fn limit(value: &str) -> Result<usize, String> {
    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| format!("limit: expected a number from 1 to {MOST}"))
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decoded(value: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            match (digit(), digit()) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => return Err("after: expected two hexadecimal digits after each %".to_owned()),
            }
        } else {
            byte
        });
    }
    String::from_utf8(bytes).map_err(|_| "after: expected UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[&str] = &["limit", "after"];

    #[test]
    fn limit_and_after_are_read_and_nothing_else_is_taken() {
        let query = Query::of("limit=7&after=db.example%3A5432", BOTH).unwrap();
        assert_eq!(query, Query { limit: Some(7), after: Some("db.example:5432".to_owned()) });
        assert_eq!(Query::of("", BOTH).unwrap(), Query::default());
        assert_eq!(Query::of("limit=1000", BOTH).unwrap().limit, Some(1000));
        let wrong = [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=",
            "after=%4",
            "after=%ff",
            "x=1",
            "limit=1&limit=1",
        ];
        for text in wrong {
            assert!(Query::of(text, BOTH).is_err(), "{text}");
        }
        assert!(Query::of("limit=1", &[]).is_err());
    }
}
