//! What sessions share, because most workers have the same options.

use std::{cell::RefCell, rc::Rc};

use super::SessionOptions;
use crate::http::{options::TransportOptions, request::DefaultHeaders, target::Base};

/// The options of sessions, and what follows from them. Clones share them.
#[derive(Clone)]
pub(super) struct SharedOptions {
    pub(super) options: Rc<SessionOptions>,
    pub(super) transport: Rc<TransportOptions>,
    pub(super) defaults: Rc<DefaultHeaders>,
    pub(super) base: Option<Rc<Base>>,
}

thread_local! {
    /// The options of the last session.
    static LAST: RefCell<Option<SharedOptions>> = const { RefCell::new(None) };
}

impl SharedOptions {
    /// Returns the options of the last session of this thread, if they are the same.
    pub(super) fn of(options: SessionOptions) -> SharedOptions {
        LAST.with_borrow_mut(|last| match last {
            Some(last) if last.options.is_same(&options) => last.clone(),
            _ => last.insert(SharedOptions::new(options)).clone(),
        })
    }

    fn new(mut options: SessionOptions) -> SharedOptions {
        // The limits apply to all routes of the session together.
        options.transport_options.shared_permits = Some(options.transport_options.permits());
        SharedOptions {
            transport: Rc::new(options.transport_options.clone()),
            defaults: Rc::new(DefaultHeaders::new(options.all_headers())),
            base: options.base_url.as_ref().map(Base::of),
            options: Rc::new(options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Redirect, Session};

    #[test]
    fn sessions_with_the_same_options_share_them() {
        let custom = Redirect::custom(|attempt| attempt.stop());
        let options: [fn(SessionOptions, &Redirect) -> SessionOptions; 4] = [
            |options, _| options,
            |options, _| options.header("x-tenant", "acme").timeout(std::time::Duration::from_secs(3)),
            |options, custom| options.redirect(custom.clone()),
            |options, _| options.redirect(Redirect::limited(3)).danger_accept_invalid_certs(true),
        ];
        let open = |index: usize| Session::new(options[index](SessionOptions::new(), &custom)).unwrap();
        let shares = |one: &Session, other: &Session| Rc::ptr_eq(&one.0.options, &other.0.options);
        for one in 0..options.len() {
            for other in 0..options.len() {
                assert_eq!(shares(&open(one), &open(other)), one == other, "{one} and {other}");
            }
        }
    }

    #[test]
    fn sessions_with_limits_share_nothing() {
        let open = || Session::new(SessionOptions::new().max_connections(1)).unwrap();
        assert!(!Rc::ptr_eq(&open().0.options, &open().0.options), "each session has its own limit");
    }
}
