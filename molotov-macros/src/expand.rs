//! What an attribute expands to: the function as it was, and a constant that hands it in.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
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
            let weight = constant(&arguments.weight, 1.0, "weight", private, &arguments.molotov);
            let delay = constant(&arguments.delay, 0.0, "delay", private, &arguments.molotov);
            let (needs, run) = (needs(types, private), run_in_slots(function, types, private, &outcome));
            quote! {
                #needs
                #run
                #private::Call::Scenario(#private::ScenarioEntry {
                    name: #name,
                    weight: #weight,
                    delay: #delay,
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
                ) -> #private::LocalBoxFuture<'a, #private::Result<#private::SessionOptions>> {
                    #private::Box::pin(async move {
                        #options(#call.await)
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
                    #private::Box::pin(async move {
                        let __made = #call.await;
                        let __session = (&#private::Made::<#made>::new()).session(__made);
                        ::core::result::Result::map_err(__session, #failed)
                    })
                }
                #private::Call::SessionFactory { session: __session, make: __make }
            }
        }
    }
}

/// The function called with what its parameters get of `source`.
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

/// Converts what the function returned; errors point at the type as the user wrote it.
fn conversion(by: &str, method: &str, output: &ReturnType, private: &TokenStream) -> TokenStream {
    let (by, method) = (format_ident!("{by}"), format_ident!("{method}"));
    match output {
        // These two cannot stand where a type is named.
        ReturnType::Type(_, ty) if !matches!(**ty, Type::Never(_)) && function::impl_trait(ty).is_none() => {
            let span = ty.span();
            let private = respan(private, span);
            quote_spanned!(span=> <#ty as #private::#by>::#method)
        }
        _ => quote!(#private::#by::#method),
    }
}

/// `<ty as Trait>::method` with what follows, at exactly the place of the type: the compiler reports a type that does not
/// implement the trait once for each place. The place is resolved as the attribute's: at one of the user's the compiler would
/// propose to borrow, and leave out what can be taken.
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

/// The tokens of a type where they are, but resolved as those of the attribute. `$crate` keeps its own meaning.
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

/// The same tokens at another place, for errors to point at.
fn respan(tokens: &TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.clone().into_iter().map(at).collect()
}

fn needs(types: &[&Type], private: &TokenStream) -> TokenStream {
    let argument = format_ident!("SlotArg");
    let needs = types.iter().map(|ty| method(ty, &argument, "need", &quote!(()), private));
    quote! {
        fn __needs() -> #private::Vec<#private::Need> {
            let needs: [::core::option::Option<#private::Need>; _] = [#(#needs),*];
            ::core::iter::Iterator::collect(::core::iter::Iterator::flatten(::core::iter::IntoIterator::into_iter(needs)))
        }
    }
}

fn run_in_slots(function: &Ident, types: &[&Type], private: &TokenStream, outcome: &TokenStream) -> TokenStream {
    let guards: Vec<Ident> = (0..types.len()).map(|at| format_ident!("__guard_{at}")).collect();
    let argument = format_ident!("SlotArg");
    let acquired = types.iter().map(|ty| method(ty, &argument, "acquire", &quote!((__slots)), private));
    let values =
        types.iter().zip(&guards).map(|(ty, guard)| method(ty, &argument, "value", &quote!((&mut #guard)), private));
    quote! {
        fn __run<'a>(__slots: &'a #private::Slots) -> #private::LocalBoxFuture<'a, #private::Result> {
            #private::Box::pin(async move {
                #(let mut #guards = #acquired?;)*
                #outcome(#function(#(#values),*).await)
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
