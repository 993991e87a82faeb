//! Keywords of requests that aiohttp does not have: `name`, `tags` and `expect`.

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBool, PyDict, PyMapping, PyRange, PyString},
};

use crate::{
    python::measures::kind,
    session::{Expected, RequestBuilder},
};

/// The name, the tags and the expected statuses of a request.
#[derive(Default)]
pub(super) struct Own {
    pub(super) name: Option<String>,
    /// Names and values.
    pub(super) tags: Vec<(String, String)>,
    pub(super) expected: Option<Expected>,
}

impl Own {
    /// Reads the values of the three keywords.
    pub(super) fn new(
        name: Option<&Bound<'_, PyAny>>,
        tags: Option<&Bound<'_, PyAny>>,
        expect: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Own> {
        let [name, tags, expect] = [name, tags, expect].map(|value| value.filter(|value| !value.is_none()));
        Ok(Own {
            name: name.map(request_name).transpose()?,
            tags: tags.map_or(Ok(Vec::new()), read_tags)?,
            expected: expect.map(expected).transpose()?,
        })
    }

    /// Reads the keywords of a request that has no others. `None` if it has.
    pub(super) fn only(keywords: &Bound<'_, PyDict>) -> PyResult<Option<Own>> {
        let (mut name, mut tags, mut expect) = (None, None, None);
        for (keyword, value) in keywords {
            match keyword.cast::<PyString>().map(|keyword| keyword.to_str()) {
                Ok(Ok("name")) => name = Some(value),
                Ok(Ok("tags")) => tags = Some(value),
                Ok(Ok("expect")) => expect = Some(value),
                _ => return Ok(None),
            }
        }
        Own::new(name.as_ref(), tags.as_ref(), expect.as_ref()).map(Some)
    }

    pub(super) fn apply(self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some(name) = self.name {
            request = request.name(name);
        }
        for (name, value) in self.tags {
            request = request.tag(name, value);
        }
        match self.expected {
            Some(expected) => request.expect(expected),
            None => request,
        }
    }
}

fn request_name(name: &Bound<'_, PyAny>) -> PyResult<String> {
    let wrong = || format!("`name` takes the name of the request, such as \"GET /users/{{id}}\", not {}", kind(name));
    Ok(name.cast::<PyString>().map_err(|_| PyTypeError::new_err(wrong()))?.to_str()?.to_owned())
}

fn read_tags(tags: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let wrong = || format!("`tags` takes a dict such as {{\"region\": \"eu\"}}, not {}", kind(tags));
    let tags = tags.cast::<PyMapping>().map_err(|_| PyTypeError::new_err(wrong()))?;
    let mut read = Vec::new();
    for item in tags.items()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let name = name
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err(format!("`tags` has a name that is no text but {}", kind(&name))))?;
        let is_number = value.extract::<f64>().is_ok();
        if !is_number && !value.is_instance_of::<PyString>() {
            let message = format!("the tag `{name}` takes a text or a number, not {}", kind(&value));
            return Err(PyTypeError::new_err(message));
        }
        read.push((name.to_str()?.to_owned(), value.str()?.to_str()?.to_owned()));
    }
    Ok(read)
}

/// Reads expected statuses: a number, a range, a list of both, or `"any"`.
pub(super) fn expected(expect: &Bound<'_, PyAny>) -> PyResult<Expected> {
    let wrong = |what: &Bound<'_, PyAny>| {
        PyTypeError::new_err(format!(
            "`expect` takes a status such as 404, a range or a list of statuses, or \"any\", not {}",
            kind(what)
        ))
    };
    if let Ok(text) = expect.cast::<PyString>() {
        return match text.to_str()? {
            "any" => Ok(Expected::any()),
            text => Err(PyValueError::new_err(format!("`expect` is {text:?}: the only text that it takes is \"any\""))),
        };
    }
    if let Some(code) = status(expect)? {
        return Ok(Expected::from(code));
    }
    let mut codes = Vec::new();
    for item in expect.try_iter().map_err(|_| wrong(expect))? {
        let item = item?;
        if let Some(code) = status(&item)? {
            codes.push(code);
        } else if item.is_instance_of::<PyRange>() {
            for code in item.try_iter()? {
                let code = code?;
                codes.push(status(&code)?.ok_or_else(|| wrong(&code))?);
            }
        } else {
            return Err(wrong(&item));
        }
    }
    if codes.is_empty() {
        return Err(PyValueError::new_err("`expect` has no status; give one, such as 404, or \"any\""));
    }
    codes.sort_unstable();
    codes.dedup();
    let (first, last) = (codes[0], codes[codes.len() - 1]);
    // A range is compared faster than a list.
    Ok(if usize::from(last - first) + 1 == codes.len() { (first..=last).into() } else { codes.as_slice().into() })
}

/// Reads a status. `None` if it is no whole number.
fn status(code: &Bound<'_, PyAny>) -> PyResult<Option<u16>> {
    if code.is_instance_of::<PyBool>() {
        return Ok(None);
    }
    match code.extract::<u16>() {
        Ok(code @ 100..=999) => Ok(Some(code)),
        Err(error) if error.is_instance_of::<PyTypeError>(code.py()) => Ok(None),
        _ => Err(PyValueError::new_err(format!("`expect` has {code}: a status is a number from 100 to 999"))),
    }
}
