//! What a worker lends to its scenarios: its context, and its sessions by type.

use std::{
    any::{Any, TypeId, type_name},
    cell::{Ref, RefCell, RefMut},
};

use crate::{failure::Failure, session::Context};

/// A session type that a scenario or session fixture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The type.
    pub type_id: TypeId,
    /// Its name, for messages.
    pub type_name: &'static str,
    /// Taken as `&mut T`.
    pub mutable: bool,
}

impl Need {
    /// The need of a parameter `&T`, or `&mut T`.
    pub fn of<T: 'static>(mutable: bool) -> Need {
        Need { type_id: TypeId::of::<T>(), type_name: type_name::<T>(), mutable }
    }
}

/// What one worker lends: its context, and one session of each type that its scenarios need.
pub struct Slots {
    context: Context,
    // A worker has one or two: scanning them is faster than hashing.
    sessions: Vec<(TypeId, RefCell<Box<dyn Any>>)>,
}

impl Slots {
    /// A worker's slots, without a session yet.
    pub fn new(context: Context) -> Slots {
        Slots { context, sessions: Vec::new() }
    }

    /// Adds a session, as a factory made it; a second one of the same type replaces the first.
    pub fn insert(&mut self, session: Box<dyn Any>) {
        let type_id = (*session).type_id();
        self.sessions.retain(|(known, _)| *known != type_id);
        self.sessions.push((type_id, RefCell::new(session)));
    }

    /// The worker's context.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Whether there is a session of that type.
    pub fn has(&self, type_id: TypeId) -> bool {
        self.sessions.iter().any(|(known, _)| *known == type_id)
    }

    /// The worker's session of type `T`.
    pub fn borrow<T: 'static>(&self) -> Result<Ref<'_, T>, Failure> {
        let session = self.cell::<T>()?.try_borrow().map_err(|_| taken::<T>())?;
        Ok(Ref::map(session, |session| session.downcast_ref().expect("a slot holds the type it is kept under")))
    }

    /// The worker's session of type `T`, to be changed.
    pub fn borrow_mut<T: 'static>(&self) -> Result<RefMut<'_, T>, Failure> {
        let session = self.cell::<T>()?.try_borrow_mut().map_err(|_| taken::<T>())?;
        Ok(RefMut::map(session, |session| session.downcast_mut().expect("a slot holds the type it is kept under")))
    }

    fn cell<T: 'static>(&self) -> Result<&RefCell<Box<dyn Any>>, Failure> {
        let wanted = TypeId::of::<T>();
        self.sessions.iter().find(|(known, _)| *known == wanted).map(|(_, session)| session).ok_or_else(|| {
            Failure::msg(format_args!(
                "the worker has no session of type `{}`; write a `#[session_factory]` function that returns it",
                type_name::<T>()
            ))
        })
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots").field("context", &self.context).field("sessions", &self.sessions.len()).finish()
    }
}

fn taken<T>() -> Failure {
    Failure::msg(format_args!("the session `{}` is taken twice at once; take it once, as `&mut`", type_name::<T>()))
}
