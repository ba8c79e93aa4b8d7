//! The fields of an object, ticked off one by one.
//!
//! A field that is read is taken out. What nobody took is named in the report when the object is finished, so that a
//! field which this program has never heard of cannot be lost in silence.

use serde_json::{Map, Value};

use super::reason;
use super::report::Remark;

/// What is left of an object, and what was found in it so far.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the object is in its root; empty for the root.
    path: String,
    left: Map<String, Value>,
    remarks: Vec<Remark>,
    parameters: Parameters,
}

/// Whether `${NAME}` in a text stands for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameters {
    /// It is part of a template, and not filled in.
    Open,
    /// It is text like any other.
    None,
}

impl Fields {
    /// The root of an object.
    pub(super) fn new(root: Map<String, Value>, parameters: Parameters) -> Self {
        Self { path: String::new(), left: root, remarks: Vec::new(), parameters }
    }

    /// A text; an empty one says nothing, as in OpenShift.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let Value::String(text) = value else {
            return self.mistyped(key, &value, "a text");
        };
        self.check_parameter(key, &text);
        Some(text).filter(|text| !text.is_empty())
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let items = self.list(key);
        let mut all = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let key = format!("{key}[{index}]");
            if let Value::String(text) = item {
                self.check_parameter(&key, &text);
                all.push(text);
            } else {
                self.mistyped::<()>(&key, &item, "a text");
            }
        }
        all
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        value.as_bool().or_else(|| self.mistyped(key, &value, "true or false"))
    }

    /// A whole number that is not below `least`.
    pub(super) fn number(&mut self, key: &str, least: i64) -> Option<i64> {
        let value = self.take(key)?;
        match value.as_i64() {
            Some(number) if number >= least => Some(number),
            Some(_) => {
                self.refuse(key, format!("is below {least}, which OpenShift refuses"));
                None
            }
            None => self.mistyped(key, &value, "a whole number"),
        }
    }

    /// The same where basewatch ends earlier than OpenShift: one above `most` becomes `most`.
    pub(super) fn limited(&mut self, key: &str, most: i64) -> Option<i64> {
        let number = self.number(key, 0)?;
        if number > most {
            self.tell(key, format!("is above {most}, the most there can be here, which is written"));
        }
        Some(number.min(most))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if known.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.refuse(key, format!("is {}, and should be {}", quoted(&text), words.join(" or ")));
        }
        known
    }

    /// An object within this one, which `read` takes its fields from.
    pub(super) fn object<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let value = self.take(key)?;
        let Value::Object(map) = value else {
            return self.mistyped(key, &value, "an object");
        };
        Some(self.child(key, map, read))
    }

    /// Each object of a list.
    pub(super) fn each<T>(&mut self, key: &str, mut read: impl FnMut(&mut Self) -> Option<T>) -> Vec<T> {
        let items = self.list(key);
        let mut all = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let key = format!("{key}[{index}]");
            if let Value::Object(map) = item {
                all.extend(self.child(&key, map, &mut read));
            } else {
                self.mistyped::<()>(&key, &item, "an object");
            }
        }
        all
    }

    fn list(&mut self, key: &str) -> Vec<Value> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(value) => self.mistyped(key, &value, "a list").unwrap_or_default(),
        }
    }

    /// Whether the field is there, whatever is in it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.left.get(key).is_some_and(|value| !value.is_null())
    }

    /// Whether the field is a text, or not there.
    pub(super) fn is_text(&self, key: &str) -> bool {
        !self.has(key) || self.left.get(key).is_some_and(Value::is_string)
    }

    /// Takes fields out that mean nothing outside a cluster.
    pub(super) fn drop_silently(&mut self, keys: &[&str]) {
        for key in keys {
            self.left.remove(*key);
        }
    }

    /// Takes a field out that says only what holds without it.
    pub(super) fn drop_default(&mut self, key: &str, default: &Value) {
        if self.left.get(key) == Some(default) {
            self.left.remove(key);
        }
    }

    /// A field's whole value, `null` being none.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key).filter(|value| !value.is_null())
    }

    /// Where a field is in the root.
    pub(super) fn path(&self, key: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'[' | b']');
        match (self.path.is_empty(), key.bytes().all(plain)) {
            (true, true) => key.to_owned(),
            (false, true) => format!("{}.{key}", self.path),
            (_, false) => format!("{}[{}]", self.path, quoted(key)),
        }
    }

    /// Where this object is in the root.
    pub(super) fn place(&self) -> &str {
        &self.path
    }

    pub(super) fn tell(&mut self, key: &str, text: impl Into<String>) {
        self.remarks.push(Remark::told(self.path(key), text));
    }

    pub(super) fn refuse(&mut self, key: &str, text: impl Into<String>) {
        self.remarks.push(Remark::refused(self.path(key), text));
    }

    /// Refuses this object as a whole.
    pub(super) fn refuse_here(&mut self, text: impl Into<String>) {
        self.remarks.push(Remark::refused(self.path.clone(), text));
    }

    /// Says of a field what it would say if nobody took it, and takes it.
    pub(super) fn leave_out(&mut self, key: &str) {
        if let Some(value) = self.take(key)
            && !says_nothing(key, &value)
        {
            let path = self.path(key);
            let text = format!("not carried over: {}", reason::why(&path));
            self.remarks.push(Remark::told(path, text));
        }
    }

    /// Everything that was found, and the fields that nobody took.
    pub(super) fn finish(mut self) -> Vec<Remark> {
        let left: Vec<String> = self.left.keys().cloned().collect();
        left.iter().for_each(|key| self.leave_out(key));
        self.remarks
    }

    fn child<T>(&mut self, key: &str, map: Map<String, Value>, read: impl FnOnce(&mut Self) -> T) -> T {
        let (path, parameters) = (self.path(key), self.parameters);
        let mut child = Self { path, left: map, remarks: Vec::new(), parameters };
        let value = read(&mut child);
        self.remarks.extend(child.finish());
        value
    }

    fn check_parameter(&mut self, key: &str, text: &str) {
        if self.parameters == Parameters::Open
            && let Some(name) = parameter(text)
        {
            let text = format!(
                "holds the template's parameter {}, which is not filled in: import what `oc process` prints, or \
                 replace it in the output",
                quoted(name)
            );
            self.refuse(key, text);
        }
    }

    fn mistyped<T>(&mut self, key: &str, value: &Value, wanted: &str) -> Option<T> {
        let text =
            value.as_str().filter(|text| self.parameters == Parameters::Open && parameter(text).is_some());
        match text {
            Some(text) => self.check_parameter(key, text),
            None => self.refuse(key, format!("is {}, and should be {wanted}", kind(value))),
        }
        None
    }
}

/// A text of somebody else's within a message: in quotes, and not too much of it.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 80;
    let cut: String = text.chars().take(MOST).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("\"{cut}{dots}\"")
}

/// The first parameter of a template in a text: `${NAME}`, or `${{NAME}}` where it is no text.
fn parameter(text: &str) -> Option<&str> {
    let start = text.find("${")?;
    let rest = text.get(start..)?;
    let end = rest.find('}')?;
    rest.get(..=end)
        .map(|name| if name.starts_with("${{") { rest.get(..=end + 1).unwrap_or(name) } else { name })
}

/// Whether a field might as well not be there. Some say something by being there.
fn says_nothing(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty() && key != "binary",
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
