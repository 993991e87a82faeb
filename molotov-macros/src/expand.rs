//! The expansion of an attribute: the unchanged function, and a constant that registers it.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Error, FnArg, Ident, ItemFn, ReturnType, Type, ext::IdentExt, spanned::Spanned};

use crate::{
    attribute::{Arguments, Kind, Number},
    delay::Delay,
    function,
};

pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        let name = kind.name();
        let wanted = if kind.is_async() { "async fn" } else { "fn" };
        let at = item.clone().into_iter().next().map_or(Span::call_site(), |token| token.span());
        let error = Error::new(at, format!("`{name}` applies to a function with a body: `{wanted} {name}_one() {{}}`"));
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
        // The function is kept, so that the compiler does not report its callers.
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
    let outcome = conversion("IntoOutcome", "into_outcome", output, private);
    let call = match kind {
        Kind::GlobalSetup | Kind::GlobalTeardown => called(function, types, "GlobalArg", &quote!(__args), private),
        Kind::ScenarioPicker => called(function, types, "PickerArg", &quote!(__context, __step), private),
        Kind::Events => called(function, types, "EventArg", &quote!(__event), private),
        _ => called(function, types, "ContextArg", &quote!(__context), private),
    };
    match kind {
        Kind::Scenario => {
            let name = match &arguments.name {
                Some(name) => quote!(#name),
                None => {
                    let name = function.unraw().to_string();
                    quote!(#name)
                }
            };
            let weight = match &arguments.weight {
                Some(number) => constant(number, "weight", private, &arguments.molotov),
                None => quote!(1.0),
            };
            let delay = match &arguments.delay {
                None => quote!(#private::EntryDelay::Fixed(0.0)),
                Some(Delay::Fixed(number)) => {
                    let seconds = constant(number, "delay", private, &arguments.molotov);
                    quote!(#private::EntryDelay::Fixed(#seconds))
                }
                Some(Delay::Between(shortest, longest)) => quote!(#private::EntryDelay::Between(#shortest, #longest)),
                Some(Delay::Exponential(mean)) => quote!(#private::EntryDelay::Exponential(#mean)),
            };
            let pacing = match &arguments.pacing {
                Some(number) => {
                    let seconds = constant(number, "pacing", private, &arguments.molotov);
                    quote!(::core::option::Option::Some(#seconds))
                }
                None => quote!(::core::option::Option::None),
            };
            let rate = match arguments.rate {
                Some(rate) => quote!(::core::option::Option::Some(#rate)),
                None => quote!(::core::option::Option::None),
            };
            let functions = in_slots(function, types, private, &outcome, "runs", &quote!(Runs<'_>));
            quote! {
                #functions
                #private::Call::Scenario(#private::ScenarioEntry {
                    name: #name,
                    weight: #weight,
                    delay: #delay,
                    pacing: #pacing,
                    rate: #rate,
                    needs: __needs,
                    runs: __run,
                })
            }
        }
        Kind::SetupSession | Kind::TeardownSession => {
            let variant = if kind == Kind::SetupSession {
                format_ident!("SetupSession")
            } else {
                format_ident!("TeardownSession")
            };
            let future = quote!(LocalBoxFuture<'_, #private::Result>);
            let functions = in_slots(function, types, private, &outcome, "call", &future);
            quote! {
                #functions
                #private::Call::#variant { needs: __needs, run: __run }
            }
        }
        Kind::GlobalSetup | Kind::GlobalTeardown => {
            let variant = match kind {
                Kind::GlobalSetup if arguments.once => format_ident!("GlobalSetupOnce"),
                Kind::GlobalSetup => format_ident!("GlobalSetup"),
                _ => format_ident!("GlobalTeardown"),
            };
            quote! {
                fn __run(__args: &#private::Args) -> #private::Result {
                    #outcome(#call)
                }
                #private::Call::#variant(__run)
            }
        }
        Kind::Teardown => quote! {
            fn __run(__context: &#private::Context) -> #private::Result {
                #outcome(#call)
            }
            #private::Call::Teardown(__run)
        },
        Kind::Setup => {
            let options = conversion("IntoOptions", "into_options", output, private);
            quote! {
                fn __run<'a>(
                    __context: &'a #private::Context,
                ) -> #private::LocalBoxFuture<'a, #private::Result<#private::Option<#private::SessionOptions>>> {
                    #private::Box::pin(async move {
                        #options(#call.await, __context)
                    })
                }
                #private::Call::Setup(__run)
            }
        }
        Kind::ScenarioPicker => {
            let pick = conversion("IntoPick", "into_pick", output, private);
            quote! {
                fn __pick(__context: &#private::Context, __step: #private::StepId) -> #private::Result<#private::String> {
                    #pick(#call)
                }
                #private::Call::Picker(__pick)
            }
        }
        Kind::Events => quote! {
            fn __handle<'a>(
                __event: &'a #private::Event<'a>,
            ) -> #private::LocalBoxFuture<'a, #private::Result> {
                #private::Box::pin(async move {
                    #outcome(#call.await)
                })
            }
            #private::Call::Events(__handle)
        },
        Kind::SessionFactory => {
            let made = match output {
                ReturnType::Type(_, ty) => quote!(#ty),
                ReturnType::Default => quote!(()),
            };
            let failed = match output {
                ReturnType::Type(_, ty) => respan(&quote!(#private::into_failure), ty.span()),
                ReturnType::Default => quote!(#private::into_failure),
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
                    #private::make(#call, |__made| (&#private::Made::<#made>::new()).session(__made), #failed)
                }
                #private::Call::SessionFactory { session: __session, make: __make }
            }
        }
    }
}

/// The call of the function with arguments from `source`.
fn called(
    function: &Ident,
    types: &[&Type],
    argument: &str,
    source: &TokenStream,
    private: &TokenStream,
) -> TokenStream {
    let argument = format_ident!("{argument}");
    let values = types.iter().map(|ty| method(ty, &argument, "get", &quote!((#source)), private));
    quote!(#function(#(#values),*))
}

/// The conversion of the result. Errors point at the type in the source.
fn conversion(by: &str, method: &str, output: &ReturnType, private: &TokenStream) -> TokenStream {
    let (by, method) = (format_ident!("{by}"), format_ident!("{method}"));
    match output {
        // A path cannot contain these two types.
        ReturnType::Type(_, ty) if !matches!(**ty, Type::Never(_)) && function::impl_trait(ty).is_none() => {
            let span = ty.span();
            let private = respan(private, span);
            quote_spanned!(span=> <#ty as #private::#by>::#method)
        }
        _ => quote!(#private::#by::#method),
    }
}

/// `<ty as Trait>::method`, followed by `rest`, at the location of the type: the compiler reports a type without the trait once for
/// each location. The tokens are resolved like those of the attribute. Otherwise, the compiler would suggest to borrow the type
/// instead of showing the note of the trait.
fn method(ty: &Type, by: &Ident, method: &str, rest: &TokenStream, private: &TokenStream) -> TokenStream {
    let ty = as_ours(quote!(#ty));
    let tokens: Vec<TokenTree> = ty.clone().into_iter().collect();
    let first = tokens.first().map_or_else(Span::call_site, TokenTree::span);
    let last = tokens.last().map_or_else(Span::call_site, TokenTree::span);
    let (private, rest) = (respan(private, last), respan(rest, last));
    let (by, method) = (Ident::new(&by.to_string(), last), Ident::new(method, last));
    let open = quote_spanned!(first=> <);
    quote_spanned!(last=> #open #ty as #private::#by>::#method #rest)
}

/// The tokens of a type at their locations, but resolved like those of the attribute. `$crate` keeps its meaning.
fn as_ours(tokens: TokenStream) -> TokenStream {
    let ours = |mut token: TokenTree| {
        match &mut token {
            TokenTree::Group(group) => {
                let span = group.span();
                *group = Group::new(group.delimiter(), as_ours(group.stream()));
                group.set_span(span.resolved_at(Span::call_site()));
            }
            TokenTree::Ident(name) if name == "$crate" => {}
            other => other.set_span(other.span().resolved_at(Span::call_site())),
        }
        token
    };
    tokens.into_iter().map(ours).collect()
}

/// The same tokens at another location, at which errors point.
fn respan(tokens: &TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.clone().into_iter().map(at).collect()
}

/// The functions `__needs` and `__run` of a function that runs with the sessions of a worker. `call` of the SDK calls it, and
/// returns a `result`.
fn in_slots(
    function: &Ident,
    types: &[&Type],
    private: &TokenStream,
    outcome: &TokenStream,
    call: &str,
    result: &TokenStream,
) -> TokenStream {
    let (argument, call) = (format_ident!("SlotArg"), format_ident!("{call}"));
    let parameters: Vec<_> = types.iter().map(|ty| method(ty, &argument, "parameter", &quote!(()), private)).collect();
    quote! {
        fn __needs() -> #private::Vec<#private::Need> {
            #private::needs((#(#parameters,)*))
        }
        fn __run(__slots: &#private::Slots) -> #private::#result {
            #private::#call((#(#parameters,)*), #function, #outcome, __slots)
        }
    }
}

/// The value of a number. The compiler checks the values of constants.
fn constant(number: &Number, name: &str, private: &TokenStream, molotov: &TokenStream) -> TokenStream {
    match number {
        Number::Known(..) => number.tokens(molotov),
        Number::Constant(path) => {
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
