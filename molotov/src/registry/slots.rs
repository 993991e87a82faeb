//! The context and the sessions of a worker, which scenarios borrow.

use std::{
    any::{Any, TypeId, type_name},
    cell::{Cell, Ref, RefCell, RefMut},
    sync::Arc,
};

use crate::{
    data::{Each, Source},
    failure::Failure,
    session::Context,
};

/// A session type that a scenario or session fixture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// The type.
    pub type_id: TypeId,
    /// Its name, for messages.
    pub type_name: &'static str,
    /// Whether it is taken as `&mut T`.
    pub mutable: bool,
}

impl Need {
    /// Returns the need of a parameter `&T` or `&mut T`.
    pub fn of<T: 'static>(mutable: bool) -> Need {
        Need { type_id: TypeId::of::<T>(), type_name: type_name::<T>(), mutable }
    }
}

/// The context of a worker, and one session of each type that its scenarios need.
pub struct Slots {
    context: Context,
    // A worker has one or two, so a scan is faster than hashing.
    sessions: Vec<(TypeId, RefCell<Box<dyn Any>>)>,
    /// The data files of the run.
    data: Arc<[Source]>,
    /// The result of the run that has just ended.
    result: Cell<Option<Result<(), Failure>>>,
}

impl Slots {
    /// Returns the slots of a worker, without sessions.
    pub fn new(context: Context) -> Slots {
        Slots { context, sessions: Vec::new(), data: Arc::default(), result: Cell::default() }
    }

    /// Adds the session that a factory returned, replacing an earlier one of the same type.
    pub fn insert(&mut self, session: Box<dyn Any>) {
        let type_id = (*session).type_id();
        self.sessions.retain(|(known, _)| *known != type_id);
        // There may be many workers, and most have one session.
        self.sessions.reserve_exact(1);
        self.sessions.push((type_id, RefCell::new(session)));
    }

    /// Adds the data files whose rows scenarios take. The rows that a worker keeps are added like sessions.
    pub(crate) fn with_data(self, data: Arc<[Source]>) -> Slots {
        Slots { data, ..self }
    }

    /// Takes the next row of type `T`; `None` if `T` is not the type of rows that scenarios take for each run.
    pub(super) fn take_row<T: 'static>(&self) -> Result<Option<Box<T>>, Failure> {
        let wanted = TypeId::of::<T>();
        match self.data.iter().find(|source| source.each() == Each::Run && source.row_type() == wanted) {
            Some(source) => source.take().map(|row| row.downcast().ok()),
            None => Ok(None),
        }
    }

    pub(super) fn set_result(&self, result: Result<(), Failure>) {
        self.result.set(Some(result));
    }

    pub(super) fn take_result(&self) -> Option<Result<(), Failure>> {
        self.result.take()
    }

    /// Returns the context of the worker.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns whether there is a session of the type.
    pub fn has(&self, type_id: TypeId) -> bool {
        self.sessions.iter().any(|(known, _)| *known == type_id)
    }

    /// Borrows the session of type `T`.
    ///
    /// # Errors
    ///
    /// Returns a failure if there is no such session, or it is borrowed as `&mut T`.
    pub fn borrow<T: 'static>(&self) -> Result<Ref<'_, T>, Failure> {
        let session = self.cell::<T>()?.try_borrow().map_err(|_| taken::<T>())?;
        Ok(Ref::map(session, |session| session.downcast_ref().expect("a slot holds the type it is kept under")))
    }

    /// Borrows the session of type `T` mutably.
    ///
    /// # Errors
    ///
    /// Returns a failure if there is no such session, or it is borrowed.
    pub fn borrow_mut<T: 'static>(&self) -> Result<RefMut<'_, T>, Failure> {
        let session = self.cell::<T>()?.try_borrow_mut().map_err(|_| taken::<T>())?;
        Ok(RefMut::map(session, |session| session.downcast_mut().expect("a slot holds the type it is kept under")))
    }

    fn cell<T: 'static>(&self) -> Result<&RefCell<Box<dyn Any>>, Failure> {
        let wanted = TypeId::of::<T>();
        self.sessions.iter().find(|(known, _)| *known == wanted).map(|(_, session)| session).ok_or_else(|| {
            Failure::msg(format_args!(
                "the worker has no session of type `{}`; write a `#[session_factory]` function that returns it, or `#[data(...)]` on the type",
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
    Failure::msg(format_args!("the session `{}` is taken more than once; take it once, as `&mut`", type_name::<T>()))
}
