//! `#[data("users.csv")]`: the unchanged type, and a constant that registers its file.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, Expr, ExprLit, Generics, Item, Lit, LitStr, Result, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    spanned::Spanned,
};

use crate::attribute::{crate_path, distance};

const ARGUMENTS: [&str; 3] = ["each", "order", "crate"];
/// The values of `each` and `order`, and the variants that they are. The first one is the default.
const EACH: &[(&str, &str)] = &[("worker", "Worker"), ("run", "Run")];
const ORDER: &[(&str, &str)] =
    &[("circular", "Circular"), ("queue", "Queue"), ("shuffle", "Shuffle"), ("random", "Random")];

struct Arguments {
    path: LitStr,
    each: Ident,
    order: Ident,
    molotov: TokenStream,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let parsed = (|input: ParseStream<'_>| read(input)).parse2(arguments);
    match (parsed, row_type(&item)) {
        (Ok(arguments), Ok((name, cfgs))) => {
            let entry = entry(&arguments, &name, &cfgs);
            quote!(#item #entry)
        }
        (Err(mut error), Err(other)) => {
            error.combine(other);
            failed(&item, &error)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => failed(&item, &error),
    }
}

/// The item is kept, so that the compiler does not report its uses.
fn failed(item: &TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}

/// The name of the type, and the attributes that decide whether it exists.
fn row_type(item: &TokenStream) -> Result<(Ident, Vec<Attribute>)> {
    let first = item.clone().into_iter().next().map_or(Span::call_site(), |token| token.span());
    let (name, generics, attributes) = match syn::parse2(item.clone()) {
        Ok(Item::Struct(item)) => (item.ident, item.generics, item.attrs),
        Ok(Item::Enum(item)) => (item.ident, item.generics, item.attrs),
        Ok(Item::Fn(function)) => {
            let message = format!(
                "`data` applies to the type of the rows: write it on a `struct`, and take the struct as a parameter: `async fn {}(user: &User)`",
                function.sig.ident
            );
            return Err(Error::new(function.sig.fn_token.span(), message));
        }
        _ => {
            let message =
                "`data` applies to the type of the rows: write it on a `struct` with `#[derive(Deserialize)]`";
            return Err(Error::new(first, message));
        }
    };
    check_generics(&generics)?;
    Ok((name, attributes.into_iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()))
}

fn check_generics(generics: &Generics) -> Result<()> {
    match generics.params.first() {
        None => Ok(()),
        Some(syn::GenericParam::Lifetime(lifetime)) => Err(Error::new(
            lifetime.span(),
            "a row owns its data: use `String` instead of `&str`, and remove the lifetime",
        )),
        Some(parameter) => {
            Err(Error::new(parameter.span(), "the type of the rows cannot be generic: write the types of its fields"))
        }
    }
}

fn read(input: ParseStream<'_>) -> Result<Arguments> {
    let no_file = |span| Error::new(span, "`data` needs the name of a file: write `#[data(\"users.csv\")]`");
    if input.is_empty() {
        return Err(no_file(Span::call_site()));
    }
    let path = match expression(input)? {
        Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => path,
        other => return Err(no_file(other.span())),
    };
    check_path(&path)?;
    let mut arguments = Arguments {
        path,
        each: format_ident!("{}", EACH[0].1),
        order: format_ident!("{}", ORDER[0].1),
        molotov: quote!(::molotov),
    };
    let mut seen: Vec<String> = Vec::new();
    while !input.is_empty() {
        if !input.peek(Token![,]) {
            return Err(input.error("arguments are separated by `,`"));
        }
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        if input.peek(Lit) {
            return Err(
                input.error("a type has the rows of one file: write `each = ...` or `order = ...`, or a second type")
            );
        }
        let key = Ident::parse_any(input)?;
        let name = key.unraw().to_string();
        if !ARGUMENTS.contains(&&*name) {
            let nearest = ARGUMENTS.iter().map(|known| (distance(&name, known), known)).min();
            return Err(Error::new(
                key.span(),
                match nearest {
                    Some((far, known)) if far <= 2 => format!("unknown argument `{name}`; did you mean `{known}`?"),
                    _ => format!(
                        "unknown argument `{name}`; `data` takes the name of a file, `each`, `order` and `crate`"
                    ),
                },
            ));
        }
        if seen.contains(&name) {
            return Err(Error::new(key.span(), format!("`{name}` is given twice: keep one")));
        }
        if !input.peek(Token![=]) {
            let example = match &*name {
                "each" => "each = \"run\"",
                "order" => "order = \"queue\"",
                _ => "crate = other_name",
            };
            return Err(Error::new(key.span(), format!("`{name}` needs a value: write `{example}`")));
        }
        input.parse::<Token![=]>()?;
        match &*name {
            "each" => arguments.each = variant(input, "each", EACH)?,
            "order" => arguments.order = variant(input, "order", ORDER)?,
            _ => arguments.molotov = crate_path(input)?,
        }
        seen.push(name);
    }
    Ok(arguments)
}

/// Parses an expression. What a macro passes on is in an invisible group.
fn expression(input: ParseStream<'_>) -> Result<Expr> {
    let mut expression = input.parse()?;
    while let Expr::Group(group) = expression {
        expression = *group.expr;
    }
    Ok(expression)
}

fn check_path(path: &LitStr) -> Result<()> {
    let text = path.value();
    let extension = text.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default();
    match ["csv", "tsv", "jsonl", "ndjson", "json"].contains(&&*extension) {
        true => Ok(()),
        false if text.trim().is_empty() => {
            Err(Error::new(path.span(), "the name of the file is empty: write `#[data(\"users.csv\")]`"))
        }
        false => Err(Error::new(
            path.span(),
            "the name of the file ends with its format: `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.json`",
        )),
    }
}

fn variant(input: ParseStream<'_>, argument: &str, values: &[(&str, &str)]) -> Result<Ident> {
    let listed: Vec<String> = values.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let listed = match &listed[..] {
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
        [] => String::new(),
    };
    match expression(input)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let wanted = text.value();
            match values.iter().find(|(name, _)| *name == wanted) {
                Some((_, variant)) => Ok(Ident::new(variant, Span::call_site())),
                None => Err(Error::new(text.span(), format!("`{argument}` is {listed}"))),
            }
        }
        other => {
            let text = other.to_token_stream().to_string();
            let message = match values.iter().any(|(name, _)| *name == text) {
                true => format!("`{argument}` is a string: write `{argument} = \"{text}\"`"),
                false => format!("`{argument}` is {listed}"),
            };
            Err(Error::new(other.span(), message))
        }
    }
}

fn entry(arguments: &Arguments, name: &Ident, cfgs: &[Attribute]) -> TokenStream {
    let Arguments { path, each, order, molotov } = arguments;
    let private = quote!(#molotov::__private);
    let text = name.unraw().to_string();
    // At the name, so that the compiler points at a type without `Deserialize`.
    let row = quote_spanned!(name.span()=> #private::RowType::of::<#name>());
    let line = Span::call_site();
    let line = quote_spanned!(line=> ::core::line!());
    let cfgs = cfgs.iter();
    quote! {
        #(#cfgs)*
        const _: () = {
            #private::inventory::submit! {
                #private::Entry::new(
                    #text,
                    ::core::module_path!(),
                    ::core::file!(),
                    #line,
                    ::core::option::Option::None,
                    #private::Call::Data(#private::DataFile {
                        row: #row,
                        path: #path,
                        folder: ::core::option_env!("CARGO_MANIFEST_DIR"),
                        each: #private::Each::#each,
                        order: #private::Order::#order,
                    }),
                )
            }
        };
    }
}
