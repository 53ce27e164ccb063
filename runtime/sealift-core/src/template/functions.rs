//! The functions of Go and sprig that hooks use: comparing, joining, and changing text.

use super::{TemplateError, Value};

/// A function: its name, how many arguments it takes, and what those are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Function(&'static Entry);

#[derive(Debug, PartialEq)]
struct Entry {
    name: &'static str,
    least: usize,
    most: usize,
    takes: &'static str,
    work: Work,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Work {
    Eq,
    Ne,
    Less { or_equal: bool },
    Greater { or_equal: bool },
    And,
    Or,
    Not,
    Len,
    Print,
    Printf,
    Default,
    Ternary,
    Contains,
    HasPrefix,
    HasSuffix,
    Replace,
    Trunc,
    Text(Change),
}

/// A change of one text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Upper,
    Lower,
    Trim,
    Quote,
    SingleQuote,
    Json,
    Url,
    Nothing,
}

const MANY: usize = usize::MAX;
const ONE: &str = "one value";
const TEXT_AND_TEXT: &str = "a text and the text it is looked for in";

const fn entry(
    name: &'static str,
    least: usize,
    most: usize,
    takes: &'static str,
    work: Work,
) -> Entry {
    Entry { name, least, most, takes, work }
}

/// Names and order of arguments are Go's and sprig's.
static FUNCTIONS: &[Entry] = &[
    entry("eq", 2, MANY, "two or more values", Work::Eq),
    entry("ne", 2, 2, "two values", Work::Ne),
    entry("lt", 2, 2, "two numbers or two texts", Work::Less { or_equal: false }),
    entry("le", 2, 2, "two numbers or two texts", Work::Less { or_equal: true }),
    entry("gt", 2, 2, "two numbers or two texts", Work::Greater { or_equal: false }),
    entry("ge", 2, 2, "two numbers or two texts", Work::Greater { or_equal: true }),
    entry("and", 1, MANY, "one or more values", Work::And),
    entry("or", 1, MANY, "one or more values", Work::Or),
    entry("not", 1, 1, ONE, Work::Not),
    entry("len", 1, 1, "one text", Work::Len),
    entry("print", 1, MANY, "one or more values", Work::Print),
    entry("printf", 1, MANY, "a format with %s, %v, %d, %q or %% and its values", Work::Printf),
    entry("default", 2, 2, "what to use instead and a value", Work::Default),
    entry("ternary", 3, 3, "a value for yes, one for no, and a condition", Work::Ternary),
    entry("contains", 2, 2, TEXT_AND_TEXT, Work::Contains),
    entry("hasPrefix", 2, 2, TEXT_AND_TEXT, Work::HasPrefix),
    entry("hasSuffix", 2, 2, TEXT_AND_TEXT, Work::HasSuffix),
    entry("replace", 3, 3, "what to replace, by what, and a text", Work::Replace),
    entry("trunc", 2, 2, "a number of characters and a text", Work::Trunc),
    entry("upper", 1, 1, ONE, Work::Text(Change::Upper)),
    entry("lower", 1, 1, ONE, Work::Text(Change::Lower)),
    entry("trim", 1, 1, ONE, Work::Text(Change::Trim)),
    entry("quote", 1, 1, ONE, Work::Text(Change::Quote)),
    entry("squote", 1, 1, ONE, Work::Text(Change::SingleQuote)),
    entry("toJson", 1, 1, ONE, Work::Text(Change::Json)),
    entry("urlquery", 1, 1, ONE, Work::Text(Change::Url)),
    entry("toString", 1, 1, ONE, Work::Text(Change::Nothing)),
];

/// All names, for messages.
pub(super) fn names() -> String {
    FUNCTIONS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

impl Function {
    pub(super) fn find(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|entry| entry.name == name).map(Self)
    }

    pub(super) fn check_count(self, count: usize) -> Result<(), TemplateError> {
        match (self.0.least..=self.0.most).contains(&count) {
            true => Ok(()),
            false => Err(self.wrong()),
        }
    }

    fn wrong(self) -> TemplateError {
        TemplateError::Arguments { function: self.0.name, takes: self.0.takes }
    }

    pub(super) fn call(self, values: &[Value]) -> Result<Value, TemplateError> {
        let text = |value: &Value| value.to_string();
        let with_text = |test: fn(&str, &str) -> bool| match values {
            [part, whole] => Ok(Value::Bool(test(&text(whole), &text(part)))),
            _ => Err(self.wrong()),
        };
        Ok(match (self.0.work, values) {
            (Work::Eq, [first, others @ ..]) => Value::Bool(others.contains(first)),
            (Work::Ne, [one, other]) => Value::Bool(one != other),
            (Work::Less { or_equal }, [one, other]) => {
                let order = self.compare(one, other)?;
                Value::Bool(order.is_lt() || or_equal && order.is_eq())
            }
            (Work::Greater { or_equal }, [one, other]) => {
                let order = self.compare(one, other)?;
                Value::Bool(order.is_gt() || or_equal && order.is_eq())
            }
            (Work::And, [.., last]) => {
                values.iter().find(|value| !value.is_true()).unwrap_or(last).clone()
            }
            (Work::Or, [.., last]) => {
                values.iter().find(|value| value.is_true()).unwrap_or(last).clone()
            }
            (Work::Not, [value]) => Value::Bool(!value.is_true()),
            (Work::Len, [Value::Text(text)]) => {
                Value::Number(i64::try_from(text.len()).unwrap_or(i64::MAX))
            }
            (Work::Print, values) => Value::Text(values.iter().map(text).collect()),
            (Work::Printf, [Value::Text(format), values @ ..]) => {
                Value::Text(self.format(format, values)?)
            }
            (Work::Default, [instead, value]) => {
                if value.is_true() { value } else { instead }.clone()
            }
            (Work::Ternary, [yes, no, condition]) => {
                if condition.is_true() { yes } else { no }.clone()
            }
            (Work::Contains, _) => with_text(|whole, part| whole.contains(part))?,
            (Work::HasPrefix, _) => with_text(|whole, part| whole.starts_with(part))?,
            (Work::HasSuffix, _) => with_text(|whole, part| whole.ends_with(part))?,
            (Work::Replace, [old, new, whole]) => {
                Value::Text(text(whole).replace(&text(old), &text(new)))
            }
            (Work::Trunc, [Value::Number(count), whole]) => {
                Value::Text(truncate(&text(whole), *count))
            }
            (Work::Text(change), [value]) => Value::Text(change.of(value)),
            _ => return Err(self.wrong()),
        })
    }

    fn compare(self, one: &Value, other: &Value) -> Result<std::cmp::Ordering, TemplateError> {
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => Ok(one.cmp(other)),
            (Value::Text(one), Value::Text(other)) => Ok(one.cmp(other)),
            _ => Err(self.wrong()),
        }
    }

    fn format(self, format: &str, values: &[Value]) -> Result<String, TemplateError> {
        let mut values = values.iter();
        let mut text = String::new();
        let mut characters = format.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                text.push(character);
                continue;
            }
            let verb = characters.next().ok_or_else(|| self.wrong())?;
            if verb == '%' {
                text.push('%');
                continue;
            }
            let value = values.next().ok_or_else(|| self.wrong())?;
            match (verb, value) {
                ('s' | 'v', value) => text.push_str(&value.to_string()),
                ('d', Value::Number(number)) => text.push_str(&number.to_string()),
                ('q', value) => text.push_str(&Change::Quote.of(value)),
                _ => return Err(self.wrong()),
            }
        }
        match values.next() {
            None => Ok(text),
            Some(_) => Err(self.wrong()),
        }
    }
}

impl Change {
    fn of(self, value: &Value) -> String {
        let text = value.to_string();
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Trim => text.trim().to_owned(),
            Self::Quote => serde_json::Value::String(text).to_string(),
            Self::SingleQuote => format!("'{text}'"),
            Self::Json => json(value).to_string(),
            Self::Url => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            Self::Nothing => text,
        }
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => serde_json::Value::String(text.clone()),
        Value::Number(number) => (*number).into(),
        Value::Bool(bool) => (*bool).into(),
        Value::Fields(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), json(value))).collect()
        }
    }
}

/// The first characters, or, for a negative number, the last.
fn truncate(text: &str, count: i64) -> String {
    let length = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if count < 0 { text.chars().count().saturating_sub(length) } else { 0 };
    text.chars().skip(skipped).take(length).collect()
}
