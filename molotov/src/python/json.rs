//! Parses JSON directly into Python objects.

use std::{cell::RefCell, fmt, hash::BuildHasher};

use foldhash::fast::FixedState;
use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyList, PyString},
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Parses JSON as Python's `json.loads` does. Falls back to Python's parser for text that this parser rejects or would change.
pub(super) fn loads<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let parsed = Value(py).deserialize(&mut parser);
    match parsed.and_then(|value| parser.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) => {
            let text = match std::str::from_utf8(text) {
                Ok(text) => PyString::new(py, text).into_any(),
                Err(_) => pyo3::types::PyBytes::new(py, text).into_any(),
            };
            py.import("json")?.call_method1("loads", (text,))
        }
    }
}

struct Value<'py>(Python<'py>);

impl<'de, 'py> DeserializeSeed<'de> for Value<'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Value<'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.0.None().into_bound(self.0))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.0, value).to_owned().into_any())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        value.into_pyobject(self.0).map(Bound::into_any).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        value.into_pyobject(self.0).map(Bound::into_any).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        // This parser returns large integers and `-0` as floats. Python has integers for them.
        if value.abs() >= 9.2e18 || value == 0.0 && value.is_sign_negative() {
            return Err(E::custom("a number for Python's own parser"));
        }
        Ok(PyFloat::new(self.0, value).into_any())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(PyString::new(self.0, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.0);
        while let Some(item) = items.next_element_seed(Value(self.0))? {
            list.append(item).map_err(A::Error::custom)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0);
        while let Some(key) = items.next_key_seed(Key(self.0))? {
            let value = items.next_value_seed(Value(self.0))?;
            dict.set_item(key, value).map_err(A::Error::custom)?;
        }
        Ok(dict.into_any())
    }
}

/// A key of an object.
struct Key<'py>(Python<'py>);

impl<'de, 'py> DeserializeSeed<'de> for Key<'py> {
    type Value = Bound<'py, PyString>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'py> Visitor<'_> for Key<'py> {
    type Value = Bound<'py, PyString>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(string_of_key(self.0, key))
    }
}

/// The number of keys that a thread remembers. Objects of one kind have the same keys, so most are found.
const KEYS: usize = 512;

/// The maximum length of a key that is remembered, in bytes.
const MAX_KEY: usize = 64;

thread_local! {
    static KNOWN_KEYS: RefCell<Vec<Option<Py<PyString>>>> = const { RefCell::new(Vec::new()) };
}

/// Returns the string of a key. Its hash is known if the key has occurred before.
fn string_of_key<'py>(py: Python<'py>, key: &str) -> Bound<'py, PyString> {
    if key.len() > MAX_KEY {
        return PyString::new(py, key);
    }
    KNOWN_KEYS.with_borrow_mut(|known| {
        if known.is_empty() {
            known.resize_with(KEYS, || None);
        }
        let slot = &mut known[FixedState::default().hash_one(key) as usize % KEYS];
        if let Some(known) = slot
            && known.bind(py).to_str().is_ok_and(|known| known == key)
        {
            return known.bind(py).clone();
        }
        slot.insert(PyString::new(py, key).unbind()).bind(py).clone()
    })
}
