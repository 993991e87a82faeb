//! Finds the target of a URL by the identity of its text: most scripts use the same few string objects again and again.

use std::{cell::RefCell, rc::Rc};

use pyo3::{prelude::*, types::PyString};

use crate::http::{
    Error,
    target::{Base, Target},
};

/// The number of texts that a thread remembers.
const SIZE: usize = 64;

/// A text and its target. The text is kept, so no other string has its address.
struct Known {
    text: Py<PyString>,
    base: Option<Rc<Base>>,
    target: Rc<Target>,
}

thread_local! {
    static KNOWN: RefCell<[Option<Known>; SIZE]> = const { RefCell::new([const { None }; SIZE]) };
}

/// Returns the target of a URL that can be sent unchanged: one with a host or, if the session has a base, a path. Returns `None`
/// for all others, which `_requests` quotes.
pub(super) fn plain_target(url: &Bound<'_, PyString>, base: Option<&Rc<Base>>) -> Option<Result<Rc<Target>, Error>> {
    KNOWN.with_borrow_mut(|known| {
        // Objects are aligned to 16 bytes.
        let slot = &mut known[(url.as_ptr() as usize >> 4) % SIZE];
        if let Some(known) = slot
            && known.text.is(url)
            && known.base.as_ref().map(Rc::as_ptr) == base.map(Rc::as_ptr)
        {
            return Some(Ok(known.target.clone()));
        }
        let text = url.to_str().ok()?;
        if !is_plain(text, base.is_some()) {
            return None;
        }
        let target = match base {
            Some(base) if text.starts_with('/') => base.target(text),
            _ => Target::parse(text),
        };
        if let Ok(target) = &target
            // The end of an object of a subclass may run code.
            && url.is_exact_instance_of::<PyString>()
        {
            *slot = Some(Known { text: url.clone().unbind(), base: base.cloned(), target: target.clone() });
        }
        Some(target)
    })
}

/// Whether a URL can be sent unchanged.
fn is_plain(url: &str, has_base: bool) -> bool {
    (url.starts_with("http://") || url.starts_with("https://") || has_base && url.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_~?=&,".contains(&byte))
        // Segments of dots are resolved.
        && !url.contains("/.")
        && !url.ends_with('?')
}
