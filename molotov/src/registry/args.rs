//! The types that functions with attributes can take as parameters. Traits resolve them by type, so aliases work.

use std::{
    any::{Any, TypeId},
    cell::{Ref, RefMut},
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use super::{Need, Slots};
use crate::{
    event::Event,
    failure::Failure,
    options::{Args, StepId, WorkerId},
    session::Context,
};

/// A parameter of a scenario or a session fixture.
#[diagnostic::on_unimplemented(
    message = "a scenario or session fixture cannot take `{Self}`",
    label = "not a type that a worker provides",
    note = "take any of `&Session`, `&mut Session`, `&Context`, `&Args`, `WorkerId`, `StepId`, or `&T` and `&mut T` of a type that a `#[session_factory]` returns or that has `#[data]`"
)]
pub trait SlotArg {
    /// Holds the borrow while the function runs.
    type Guard<'w>;
    /// The argument.
    type Value<'g>;
    /// Returns the session type that the parameter needs, if any.
    fn need() -> Option<Need>;
    /// Borrows it from the worker.
    ///
    /// # Errors
    ///
    /// Returns a failure if the worker has no such session, or it is borrowed already.
    fn acquire(slots: &Slots) -> Result<Self::Guard<'_>, Failure>;
    /// Returns the argument.
    fn value<'g>(guard: &'g mut Self::Guard<'_>) -> Self::Value<'g>;
    /// Names the type in an expression of the attribute. The result has an associated type, so that the compiler reports a
    /// type without this trait there, and nothing that follows from it.
    fn parameter() -> Self::Parameter;
    /// A [`Parameter`] of this type.
    type Parameter;
}

/// A parameter of the type `A`.
pub struct Parameter<A>(PhantomData<fn() -> A>);

/// Holds a `&T` while a function runs.
pub struct Shared<'w, T>(SharedKind<'w, T>);

enum SharedKind<'w, T> {
    Plain(&'w T),
    Session(Ref<'w, T>),
    Row(Box<T>),
}

/// Holds a `&mut T` while a function runs.
pub struct Exclusive<'w, T>(ExclusiveKind<'w, T>);

enum ExclusiveKind<'w, T> {
    Session(RefMut<'w, T>),
    Row(Box<T>),
}

/// Whether `T` is the context or the options, which are not sessions.
fn is_plain<T: 'static>() -> bool {
    [TypeId::of::<Context>(), TypeId::of::<Args>()].contains(&TypeId::of::<T>())
}

impl<T: 'static> SlotArg for &T {
    type Parameter = Parameter<&'static T>;
    type Guard<'w> = Shared<'w, T>;
    type Value<'g> = &'g T;

    fn need() -> Option<Need> {
        (!is_plain::<T>()).then(|| Need::of::<T>(false))
    }

    fn acquire(slots: &Slots) -> Result<Shared<'_, T>, Failure> {
        let context: &dyn Any = slots.context();
        let args: &dyn Any = slots.context().args();
        let plain = context.downcast_ref().or_else(|| args.downcast_ref());
        Ok(Shared(match plain {
            Some(plain) => SharedKind::Plain(plain),
            None => match slots.take_row()? {
                Some(row) => SharedKind::Row(row),
                None => SharedKind::Session(slots.borrow()?),
            },
        }))
    }

    fn parameter() -> Self::Parameter {
        Parameter(PhantomData)
    }

    fn value<'g>(guard: &'g mut Shared<'_, T>) -> &'g T {
        match &guard.0 {
            SharedKind::Plain(value) => value,
            SharedKind::Session(value) => value.deref(),
            SharedKind::Row(value) => value,
        }
    }
}

impl<T: 'static> SlotArg for &mut T {
    type Parameter = Parameter<&'static mut T>;
    type Guard<'w> = Exclusive<'w, T>;
    type Value<'g> = &'g mut T;

    fn need() -> Option<Need> {
        Some(Need::of::<T>(true))
    }

    fn acquire(slots: &Slots) -> Result<Exclusive<'_, T>, Failure> {
        Ok(Exclusive(match slots.take_row()? {
            Some(row) => ExclusiveKind::Row(row),
            None => ExclusiveKind::Session(slots.borrow_mut()?),
        }))
    }

    fn parameter() -> Self::Parameter {
        Parameter(PhantomData)
    }

    fn value<'g>(guard: &'g mut Exclusive<'_, T>) -> &'g mut T {
        match &mut guard.0 {
            ExclusiveKind::Session(value) => value.deref_mut(),
            ExclusiveKind::Row(value) => value,
        }
    }
}

macro_rules! by_value {
    ($type:ty, $slots:ident => $value:expr) => {
        impl SlotArg for $type {
            type Parameter = Parameter<$type>;
            type Guard<'w> = $type;
            type Value<'g> = $type;

            fn need() -> Option<Need> {
                None
            }

            fn acquire($slots: &Slots) -> Result<$type, Failure> {
                Ok($value)
            }

            fn parameter() -> Self::Parameter {
                Parameter(PhantomData)
            }

            fn value(guard: &mut $type) -> $type {
                *guard
            }
        }
    };
}

by_value!(WorkerId, slots => slots.context().worker_id());
by_value!(StepId, slots => StepId(slots.context().step()));

/// A parameter of `setup`, `teardown` and `session_factory`.
#[diagnostic::on_unimplemented(
    message = "this fixture cannot take `{Self}`",
    label = "not available while the worker has no session",
    note = "take any of `WorkerId`, `&Args` and `&Context`"
)]
pub trait ContextArg {
    /// The argument.
    type Value<'a>;
    /// Returns the argument from the context of the worker.
    fn get(context: &Context) -> Self::Value<'_>;
}

/// A parameter of `global_setup` and `global_teardown`.
#[diagnostic::on_unimplemented(
    message = "a global fixture cannot take `{Self}`",
    label = "not available outside workers",
    note = "take `&Args`, or nothing"
)]
pub trait GlobalArg {
    /// The argument.
    type Value<'a>;
    /// Returns the argument from the options of the run.
    fn get(args: &Args) -> Self::Value<'_>;
}

/// A parameter of `scenario_picker`.
#[diagnostic::on_unimplemented(
    message = "a scenario picker cannot take `{Self}`",
    label = "not available between scenarios",
    note = "take any of `WorkerId`, `StepId`, `&Args` and `&Context`"
)]
pub trait PickerArg {
    /// The argument.
    type Value<'a>;
    /// Returns the argument from the context of the worker.
    fn get(context: &Context, step: StepId) -> Self::Value<'_>;
}

/// A parameter of `events`.
#[diagnostic::on_unimplemented(
    message = "an event listener cannot take `{Self}`",
    label = "not an event",
    note = "take `&Event<'_>`"
)]
pub trait EventArg {
    /// The argument.
    type Value<'a>;
    /// Returns the argument from the event.
    fn get<'a>(event: &'a Event<'a>) -> Self::Value<'a>;
}

impl ContextArg for WorkerId {
    type Value<'a> = WorkerId;

    fn get(context: &Context) -> WorkerId {
        context.worker_id()
    }
}

impl ContextArg for &Args {
    type Value<'a> = &'a Args;

    fn get(context: &Context) -> &Args {
        context.args()
    }
}

impl ContextArg for &Context {
    type Value<'a> = &'a Context;

    fn get(context: &Context) -> &Context {
        context
    }
}

impl GlobalArg for &Args {
    type Value<'a> = &'a Args;

    fn get(args: &Args) -> &Args {
        args
    }
}

impl PickerArg for WorkerId {
    type Value<'a> = WorkerId;

    fn get(context: &Context, _: StepId) -> WorkerId {
        context.worker_id()
    }
}

impl PickerArg for StepId {
    type Value<'a> = StepId;

    fn get(_: &Context, step: StepId) -> StepId {
        step
    }
}

impl PickerArg for &Args {
    type Value<'a> = &'a Args;

    fn get(context: &Context, _: StepId) -> &Args {
        context.args()
    }
}

impl PickerArg for &Context {
    type Value<'a> = &'a Context;

    fn get(context: &Context, _: StepId) -> &Context {
        context
    }
}

impl EventArg for &Event<'_> {
    type Value<'a> = &'a Event<'a>;

    fn get<'a>(event: &'a Event<'a>) -> &'a Event<'a> {
        event
    }
}
