//! Checks of the function that an attribute is applied to.

use syn::{Error, FnArg, ItemFn, ReturnType, Type, spanned::Spanned, visit::Visit};

use crate::attribute::Kind;

/// All errors in the signature of the function.
pub(crate) fn check(kind: Kind, function: &ItemFn) -> Option<Error> {
    let mut errors: Vec<Error> = Vec::new();
    let (signature, name) = (&function.sig, kind.name());
    match (kind.is_async(), &signature.asyncness) {
        (true, None) => errors.push(Error::new(
            signature.fn_token.span(),
            format!("`{name}` needs an `async` function: write `async fn {}`", signature.ident),
        )),
        (false, Some(token)) => errors.push(Error::new(
            token.span(),
            format!("`{name}` runs outside async code: remove `async`{}", instead(kind)),
        )),
        _ => {}
    }
    if let Some(token) = &signature.constness {
        errors.push(Error::new(token.span(), format!("`{name}` cannot be `const`: remove it")));
    }
    if let syn::Safety::Unsafe(token) = &signature.safety {
        errors.push(Error::new(
            token.span(),
            format!("`{name}` is called by safe code: remove `unsafe`, and use an `unsafe` block inside"),
        ));
    }
    if let Some(token) = &signature.abi {
        errors.push(Error::new(token.span(), format!("`{name}` is a plain Rust function: remove `extern`")));
    }
    if let Some(token) = &signature.variadic {
        errors.push(Error::new(token.span(), format!("`{name}` cannot be variadic")));
    }
    let generics = &signature.generics;
    if let Some(parameter) = generics.type_params().next() {
        errors.push(Error::new(
            parameter.span(),
            format!(
                "`{name}` is registered once and cannot be generic: write the type instead of `{}`",
                parameter.ident
            ),
        ));
    }
    if let Some(parameter) = generics.const_params().next() {
        errors.push(Error::new(
            parameter.span(),
            format!(
                "`{name}` is registered once and cannot be generic: write a constant instead of `{}`",
                parameter.ident
            ),
        ));
    }
    if let Some(parameter) = generics.lifetimes().next() {
        errors.push(Error::new(
            parameter.span(),
            format!("`{name}` needs no named lifetimes: write `&` and `'_` instead of `{}`", parameter.lifetime),
        ));
    }
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => errors.push(Error::new(
                receiver.span(),
                format!("`{name}` is a free function: move it out of the `impl` and remove `self`"),
            )),
            FnArg::Typed(typed) => {
                if let Some(token) = impl_trait(&typed.ty) {
                    errors.push(Error::new(token, format!("`{name}` cannot take `impl Trait`: write the type")));
                } else if let Some(error) = reference(kind, &typed.ty) {
                    errors.push(error);
                }
            }
        }
    }
    if signature.inputs.len() > MOST_PARAMETERS {
        let message =
            format!("`{name}` takes at most {MOST_PARAMETERS} parameters: `&Context` has most of what they provide");
        errors.push(Error::new(signature.inputs.span(), message));
    }
    if let ReturnType::Type(_, returned) = &signature.output
        && let Some(token) = impl_trait(returned)
        && kind == Kind::SessionFactory
    {
        errors.push(Error::new(token, "sessions are found by type: write the type instead of `impl Trait`"));
    }
    if kind == Kind::SessionFactory && matches!(signature.output, ReturnType::Default) {
        errors.push(Error::new(
            signature.ident.span(),
            "`session_factory` returns the session: write `-> YourType` or `-> Result<YourType>`",
        ));
    }
    if kind == Kind::Setup && matches!(signature.output, ReturnType::Default) {
        errors.push(Error::new(
            signature.ident.span(),
            "`setup` returns the options of the worker's session: write `-> SessionOptions` or `-> Result<SessionOptions>`",
        ));
    }
    if kind == Kind::ScenarioPicker && matches!(signature.output, ReturnType::Default) {
        errors.push(Error::new(
            signature.ident.span(),
            "`scenario_picker` returns the name of a scenario: write `-> &'static str` or `-> String`",
        ));
    }
    errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    })
}

/// As many as the SDK has implementations for.
const MOST_PARAMETERS: usize = 8;

/// The error for a reference that no function of this kind can take. The compiler would report such types more than once.
fn reference(kind: Kind, ty: &Type) -> Option<Error> {
    let Type::Reference(reference) = ty else { return None };
    let taken = match kind {
        Kind::Scenario | Kind::SetupSession | Kind::TeardownSession => {
            "`&Session`, `&mut Session`, `&Context`, `&Args`, or `&T` and `&mut T` of a type that a `#[session_factory]` returns or that has `#[data]`"
        }
        Kind::Setup | Kind::Teardown | Kind::SessionFactory | Kind::ScenarioPicker => "`&Args` or `&Context`",
        Kind::GlobalSetup | Kind::GlobalTeardown => "`&Args`",
        Kind::Events => "`&Event<'_>`",
    };
    let what = match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => "`&str`",
        Type::Slice(_) => "a slice",
        Type::TraitObject(_) => "`&dyn Trait`",
        Type::Reference(_) => "a reference to a reference",
        _ => {
            let lifetime = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static")?;
            let message = format!("`{}` borrows its parameters while it runs: remove `'static`", kind.name());
            return Some(Error::new(lifetime.span(), message));
        }
    };
    Some(Error::new(ty.span(), format!("`{}` cannot take {what}: take {taken}", kind.name())))
}

fn instead(kind: Kind) -> &'static str {
    match kind {
        Kind::Teardown => "; use `teardown_session` for async code",
        Kind::GlobalSetup => "; `molotov::request` and `json_request` make blocking requests",
        _ => "",
    }
}

pub(crate) fn impl_trait(ty: &Type) -> Option<proc_macro2::Span> {
    struct Find(Option<proc_macro2::Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_impl_trait(&mut self, found: &'ast syn::TypeImplTrait) {
            self.0.get_or_insert(found.span());
        }
    }
    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}
