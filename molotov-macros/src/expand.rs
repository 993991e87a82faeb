//! What an attribute expands to: the function as it was, and a constant that hands it in.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Error, FnArg, Ident, ItemFn, ReturnType, Type, ext::IdentExt, spanned::Spanned};

use crate::{
    attribute::{Arguments, Kind, Number},
    function,
};

pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        let name = kind.name();
        let wanted = if kind.is_async() { "async fn" } else { "fn" };
        let at = item.clone().into_iter().next().map_or(Span::call_site(), |token| token.span());
        let error =
            Error::new(at, format!("`{name}` stands above a function with a body: `{wanted} {name}_one() {{}}`"));
        let error = error.into_compile_error();
        return quote!(#item #error);
    };
    let (arguments, mut error) = Arguments::parse(kind, arguments);
    if let Some(found) = function::check(kind, &function) {
        match &mut error {
            Some(error) => error.combine(found),
            None => error = Some(found),
        }
    }
    match error {
        // The function stays, so that its callers are not reported as well.
        Some(error) => {
            let error = error.into_compile_error();
            quote!(#function #error)
        }
        None => {
            let entry = entry(kind, &arguments, &function);
            quote!(#function #entry)
        }
    }
}

fn entry(kind: Kind, arguments: &Arguments, function: &ItemFn) -> TokenStream {
    let molotov = &arguments.molotov;
    let private = quote!(#molotov::__private);
    let name = function.sig.ident.unraw().to_string();
    let types: Vec<&Type> = function
        .sig
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(typed) => Some(&*typed.ty),
            FnArg::Receiver(_) => None,
        })
        .collect();
    let cfgs: Vec<&Attribute> = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();
    let extension = match &arguments.extension {
        Some(extension) => quote!(::core::option::Option::Some(#extension)),
        None => quote!(::core::option::Option::None),
    };
    let call = call(kind, arguments, &function.sig.ident, &function.sig.output, &types, &private);
    let line = Span::call_site();
    let line = quote_spanned!(line=> ::core::line!());
    quote! {
        #(#cfgs)*
        const _: () = {
            #private::inventory::submit! {
                #private::Entry::new(#name, ::core::module_path!(), ::core::file!(), #line, #extension, { #call })
            }
        };
    }
}

fn call(
    kind: Kind,
    arguments: &Arguments,
    function: &Ident,
    output: &ReturnType,
    types: &[&Type],
    private: &TokenStream,
) -> TokenStream {
    // Errors about the result point at the type as the user wrote it.
    let result = match output {
        ReturnType::Default => function.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let outcome = quote_spanned!(result=> #private::IntoOutcome::into_outcome);
    match kind {
        Kind::Scenario => {
            let name = match &arguments.name {
                Some(name) => quote!(#name),
                None => {
                    let name = function.unraw().to_string();
                    quote!(#name)
                }
            };
            let weight = constant(&arguments.weight, 1.0, "weight", private, &arguments.molotov);
            let delay = constant(&arguments.delay, 0.0, "delay", private, &arguments.molotov);
            let (needs, run) = (needs(types, private), run_in_slots(function, types, private, &outcome));
            quote! {
                const WEIGHT: #private::f64 = #weight;
                const DELAY: #private::f64 = #delay;
                #needs
                #run
                #private::Call::Scenario(#private::ScenarioEntry {
                    name: #name,
                    weight: WEIGHT,
                    delay: DELAY,
                    needs: __needs,
                    run: __run,
                })
            }
        }
        Kind::SetupSession | Kind::TeardownSession => {
            let variant = if kind == Kind::SetupSession {
                format_ident!("SetupSession")
            } else {
                format_ident!("TeardownSession")
            };
            let (needs, run) = (needs(types, private), run_in_slots(function, types, private, &outcome));
            quote! {
                #needs
                #run
                #private::Call::#variant { needs: __needs, run: __run }
            }
        }
        Kind::GlobalSetup | Kind::GlobalTeardown => {
            let variant =
                if kind == Kind::GlobalSetup { format_ident!("GlobalSetup") } else { format_ident!("GlobalTeardown") };
            quote! {
                fn __run(__args: &#private::Args) -> #private::Result {
                    #outcome(#function(#(<#types as #private::GlobalArg>::get(__args)),*))
                }
                #private::Call::#variant(__run)
            }
        }
        Kind::Teardown => quote! {
            fn __run(__context: &#private::Context) -> #private::Result {
                #outcome(#function(#(<#types as #private::ContextArg>::get(__context)),*))
            }
            #private::Call::Teardown(__run)
        },
        Kind::Setup => {
            let options = quote_spanned!(result=> #private::IntoOptions::into_options);
            quote! {
                fn __run<'a>(
                    __context: &'a #private::Context,
                ) -> #private::LocalBoxFuture<'a, #private::Result<#private::SessionOptions>> {
                    #private::Box::pin(async move {
                        #options(#function(#(<#types as #private::ContextArg>::get(__context)),*).await)
                    })
                }
                #private::Call::Setup(__run)
            }
        }
        Kind::ScenarioPicker => {
            let pick = quote_spanned!(result=> #private::IntoPick::into_pick);
            quote! {
                fn __pick(__context: &#private::Context, __step: #private::StepId) -> #private::Result<#private::String> {
                    #pick(#function(#(<#types as #private::PickerArg>::get(__context, __step)),*))
                }
                #private::Call::Picker(__pick)
            }
        }
        Kind::Events => quote! {
            fn __handle<'a>(
                __event: &'a #private::Event<'a>,
            ) -> #private::LocalBoxFuture<'a, #private::Result> {
                #private::Box::pin(async move {
                    #outcome(#function(#(<#types as #private::EventArg>::get(__event)),*).await)
                })
            }
            #private::Call::Events(__handle)
        },
        Kind::SessionFactory => {
            let made = match output {
                ReturnType::Type(_, ty) => quote!(#ty),
                ReturnType::Default => quote!(()),
            };
            quote! {
                fn __session() -> (#private::TypeId, &'static #private::str) {
                    #[allow(unused_imports)]
                    use #private::{FactoryResult as _, FactoryValue as _};
                    (&#private::Made::<#made>::new()).session_type()
                }
                fn __make<'a>(
                    __context: &'a #private::Context,
                ) -> #private::LocalBoxFuture<'a, #private::Result<#private::Box<dyn #private::Any>>> {
                    #[allow(unused_imports)]
                    use #private::{FactoryResult as _, FactoryValue as _};
                    #private::Box::pin(async move {
                        let __made = #function(#(<#types as #private::ContextArg>::get(__context)),*).await;
                        (&#private::Made::<#made>::new()).session(__made)
                    })
                }
                #private::Call::SessionFactory { session: __session, make: __make }
            }
        }
    }
}

fn needs(types: &[&Type], private: &TokenStream) -> TokenStream {
    quote! {
        fn __needs() -> #private::Vec<#private::Need> {
            let needs: [::core::option::Option<#private::Need>; _] = [#(<#types as #private::SlotArg>::need()),*];
            ::core::iter::Iterator::collect(::core::iter::Iterator::flatten(::core::iter::IntoIterator::into_iter(needs)))
        }
    }
}

fn run_in_slots(function: &Ident, types: &[&Type], private: &TokenStream, outcome: &TokenStream) -> TokenStream {
    let guards: Vec<Ident> = (0..types.len()).map(|at| format_ident!("__guard_{at}")).collect();
    quote! {
        fn __run<'a>(__slots: &'a #private::Slots) -> #private::LocalBoxFuture<'a, #private::Result> {
            #private::Box::pin(async move {
                #(let mut #guards = <#types as #private::SlotArg>::acquire(__slots)?;)*
                #outcome(#function(#(<#types as #private::SlotArg>::value(&mut #guards)),*).await)
            })
        }
    }
}

/// The value of a number; one that comes from a constant is checked by the compiler.
fn constant(
    number: &Option<Number>,
    default: f64,
    name: &str,
    private: &TokenStream,
    molotov: &TokenStream,
) -> TokenStream {
    match number {
        None => quote!(#default),
        Some(known @ Number::Known(..)) => known.tokens(molotov),
        Some(number @ Number::Constant(path)) => {
            let value = number.tokens(molotov);
            let message = format!("`{name}` is a number, 0 or more");
            quote_spanned! {path.span()=> {
                let value: #private::f64 = #value;
                ::core::assert!(value >= 0.0 && value <= #private::f64::MAX, #message);
                value
            }}
        }
    }
}
