//! How TOML is laid out: a head for each table, values beside their keys, lists of tables a line each.
//!
//! Values are written by the TOML library, which knows what has to be escaped; keys and heads are our own words.

use std::fmt::Write;

use toml::Value;

use crate::text::harmless;

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Layout {
    text: String,
}

impl Layout {
    /// An empty line, but for the first.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.line(format_args!("# {}", harmless(text)));
    }

    /// The head of a table, such as `[[image_stream]]`.
    pub(super) fn head(&mut self, head: &str) {
        self.line(format_args!("{head}"));
    }

    pub(super) fn pair(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        match value.as_array().filter(|values| values.len() > 1) {
            Some(values) => {
                self.line(format_args!("{key} = ["));
                values.iter().for_each(|value| self.line(format_args!("    {value},")));
                self.line(format_args!("]"));
            }
            None => self.line(format_args!("{key} = {value}")),
        }
    }

    /// A value that may be absent.
    pub(super) fn maybe<T: Into<Value>>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.pair(key, value);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// An inline table of what is there.
pub(super) fn table<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let there = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Table(there.collect())
}

/// Names and values as OpenShift lists them; nothing for none.
pub(super) fn pairs(pairs: &[(String, String)]) -> Option<Value> {
    let pair = |(name, value): &(String, String)| {
        table([("name", Some(name.as_str().into())), ("value", Some(value.as_str().into()))])
    };
    (!pairs.is_empty()).then(|| Value::Array(pairs.iter().map(pair).collect()))
}
