//! How functions and closures are called with what they take as parameters.

use std::{borrow::Cow, marker::PhantomData, panic::Location};

use futures_util::future::LocalBoxFuture;

use super::{Need, Origin, Parameter, Runs, Scenario, SlotArg, Slots};
use crate::{
    failure::{IntoOutcome, Result},
    options::Delay,
};

/// An `async` function or closure that can run as a scenario.
///
/// It takes up to eight parameters of the types that a function with `#[scenario]` takes, and returns nothing or a `Result`.
/// `Parameters` are the types of its result and its parameters; the compiler finds them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a scenario",
    label = "a parameter or the result has a type that scenarios do not have",
    note = "write an `async` function or closure: `async |session: &Session| {{ ... }}`",
    note = "its parameters can be `&Session`, `&mut Session`, `&Context`, `&Args`, `WorkerId`, `StepId`, and `&T` and `&mut T` of a type that a `#[session_factory]` returns or that has `#[data]`",
    note = "it returns nothing, or a `Result<(), E>` where `E` implements `Display`"
)]
pub trait ScenarioFn<Parameters>: Send + Sync + 'static {
    /// Returns the session types that it takes.
    #[doc(hidden)]
    fn needs(&self) -> Vec<Need>;
    /// Returns its runs by a worker.
    #[doc(hidden)]
    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a>;
}

/// The parameters of a function with an attribute, as a tuple of [`Parameter`]s.
pub trait Parameters<Function, Output> {
    /// Takes the parameters from the worker and calls the function.
    fn call(function: Function, into: fn(Output) -> Result, slots: &Slots) -> LocalBoxFuture<'_, Result>;

    /// Takes the parameters from the worker and calls the function for each run.
    fn runs(function: Function, into: fn(Output) -> Result, slots: &Slots) -> Runs<'_>
    where
        Function: Copy;
}

/// The session types of the parameters of a function with an attribute.
pub trait ParameterNeeds {
    /// Returns them in the order of the parameters.
    fn needs() -> Vec<Need>;
}

/// The runs of a function. Each takes the parameters from the worker, and evaluates the block.
///
/// This is not [`Runs::of`] with an `async` block, because the future of the block would be copied at the start of each run.
macro_rules! runs {
    ($slots:ident, [$($type:ident $name:ident),*] $run:block) => {
        Runs::new($slots, async move {
            loop {
                #[allow(unused_labels, reason = "a function without parameters takes nothing")]
                let result = 'run: {
                    $(let mut $name = match $type::acquire($slots) {
                        Ok(guard) => guard,
                        Err(failure) => break 'run Err(failure),
                    };)*
                    $run
                };
                $slots.end_run(result).await;
            }
        })
    };
}

// `ScenarioFn`: the first bound lets the compiler infer the types of the parameters, the second one lets them borrow from the
// worker. A call has to choose one of the bounds, which `call` does.
macro_rules! parameters {
    ($($type:ident $name:ident),*) => {
        impl<Run, Output, $($type),*> ScenarioFn<(Output, $($type,)*)> for Run
        where
            Run: AsyncFn($($type),*) -> Output,
            Run: for<'g> AsyncFn($($type::Value<'g>),*) -> Output,
            Run: Send + Sync + 'static,
            Output: IntoOutcome,
            $($type: SlotArg,)*
        {
            fn needs(&self) -> Vec<Need> {
                <($(Parameter<$type>,)*)>::needs()
            }

            #[allow(unused_variables, reason = "a scenario without parameters takes nothing")]
            fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
                #[allow(clippy::too_many_arguments, reason = "as many as a scenario can have")]
                async fn call<Run, Output, $($type),*>(run: &Run, $($name: $type),*) -> Output
                where
                    Run: AsyncFn($($type),*) -> Output,
                {
                    run($($name),*).await
                }
                runs!(slots, [$($type $name),*] {
                    call::<Run, Output, $($type::Value<'_>),*>(self, $($type::value(&mut $name)),*).await.into_outcome()
                })
            }
        }

        impl<$($type: SlotArg),*> ParameterNeeds for ($(Parameter<$type>,)*) {
            fn needs() -> Vec<Need> {
                let needs: Vec<Option<Need>> = vec![$($type::need()),*];
                needs.into_iter().flatten().collect()
            }
        }

        impl<Function, Output, $($type),*> Parameters<Function, Output> for ($(Parameter<$type>,)*)
        where
            Function: for<'g> AsyncFn($($type::Value<'g>),*) -> Output + 'static,
            Output: 'static,
            $($type: SlotArg,)*
        {
            #[allow(unused_variables, reason = "a function without parameters takes nothing")]
            fn call(function: Function, into: fn(Output) -> Result, slots: &Slots) -> LocalBoxFuture<'_, Result> {
                Box::pin(async move {
                    $(let mut $name = $type::acquire(slots)?;)*
                    into(function($($type::value(&mut $name)),*).await)
                })
            }

            #[allow(unused_variables, reason = "a function without parameters takes nothing")]
            fn runs(function: Function, into: fn(Output) -> Result, slots: &Slots) -> Runs<'_>
            where
                Function: Copy,
            {
                runs!(slots, [$($type $name),*] {
                    into(function($($type::value(&mut $name)),*).await)
                })
            }
        }
    };
}

parameters!();
parameters!(A a);
parameters!(A a, B b);
parameters!(A a, B b, C c);
parameters!(A a, B b, C c, D d);
parameters!(A a, B b, C c, D d, E e);
parameters!(A a, B b, C c, D d, E e, F f);
parameters!(A a, B b, C c, D d, E e, F f, G g);
parameters!(A a, B b, C c, D d, E e, F f, G g, H h);

/// A scenario with weight 1 and no delay.
pub(super) struct FunctionScenario<F, P> {
    name: String,
    origin: Origin,
    run: F,
    parameters: PhantomData<fn() -> P>,
}

impl<F, P> FunctionScenario<F, P> {
    pub(super) fn new(name: String, place: &'static Location<'static>, run: F) -> Self {
        let origin = Origin {
            function: Cow::Borrowed("closure"),
            module: Cow::Borrowed(""),
            file: Cow::Borrowed(place.file()),
            line: place.line(),
            extension: None,
        };
        FunctionScenario { name, origin, run, parameters: PhantomData }
    }
}

impl<F: ScenarioFn<P>, P> Scenario for FunctionScenario<F, P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> f64 {
        1.0
    }

    fn delay(&self) -> Delay {
        Delay::ZERO
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn needs(&self) -> Vec<Need> {
        self.run.needs()
    }

    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
        self.run.runs(slots)
    }
}
