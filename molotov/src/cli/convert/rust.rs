//! Writes recorded requests as a Rust program.

use std::time::Duration;

use serde_json::Value;

use super::{Body, Recorded, Recording};

/// The methods that a session has a function for.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(super) fn script(recording: &Recording) -> String {
    let requests = &recording.requests;
    let has_pauses = requests.iter().any(|request| !request.pause.is_zero());
    let has_parts = requests.iter().any(|request| matches!(request.body, Body::Multipart(_)));
    let mut text = "//! A load test, written by Molotov from recorded requests.\n\n".to_owned();
    text += if has_parts { "use molotov::{prelude::*, session::multipart};\n" } else { "use molotov::prelude::*;\n" };
    text += &format!("\nconst HOST: &str = {:?};\n\n", recording.host());
    text += "#[setup]\nasync fn options() -> SessionOptions {\n    SessionOptions::new()\n        .base_url(HOST)\n";
    for (name, value) in &recording.headers {
        text += &format!("        .header({name:?}, {value:?})\n");
    }
    if recording.insecure {
        text += "        .danger_accept_invalid_certs(true)\n";
    }
    text += "}\n\n#[scenario]\n";
    let context = if has_pauses { ", ctx: &Context" } else { "" };
    text += &format!("async fn recorded(session: &Session{context}) -> Result<()> {{\n");
    for (index, request) in requests.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        add(request, recording, &mut text);
    }
    text + "    Ok(())\n}\n\nfn main() -> ExitCode {\n    molotov::main()\n}\n"
}

fn add(request: &Recorded, recording: &Recording, text: &mut String) {
    if request.pause > Duration::ZERO {
        *text += &format!("    ctx.think({:.1}).await;\n", request.pause.as_secs_f64());
    }
    let url = recording.path(&request.url).unwrap_or(request.url.as_str());
    let start = match METHODS.contains(&request.method.as_str()) {
        true => format!("session.{}({url:?})", request.method.to_ascii_lowercase()),
        false => format!("session.request({:?}.parse()?, {url:?})", request.method),
    };
    let mut calls = vec![start];
    calls.extend(request.headers.iter().map(|(name, value)| format!(".header({name:?}, {value:?})")));
    if let Some((user, password)) = &request.basic {
        calls.push(format!(".basic_auth({user:?}, Some({password:?}))"));
    }
    match &request.body {
        Body::None => {}
        Body::Text(body) => calls.push(format!(".body({body:?})")),
        Body::Json(value) => calls.push(format!(".json(&json!({}))", literal(value))),
        Body::Form(pairs) => calls.push(format!(".form(&{pairs:?})")),
        Body::Multipart(parts) => {
            *text += "    let form = multipart::Form::new()";
            for part in parts {
                *text += &match part.is_file {
                    true => format!("\n        .part({:?}, multipart::Part::file({:?}).await?)", part.name, part.value),
                    false => format!("\n        .text({:?}, {:?})", part.name, part.value),
                };
            }
            *text += ";\n";
            calls.push(".multipart(form)".to_owned());
        }
    }
    if let Some(timeout) = request.timeout {
        calls.push(format!(".timeout(secs({timeout:?}))"));
    }
    calls.push(".send()".to_owned());
    calls.push(".await?".to_owned());
    if request.status.is_none() {
        calls.push(".error_for_status()?".to_owned());
    }
    let line = calls.concat();
    *text += &match line.len() < 90 {
        true => format!("    let response = {line};\n"),
        false => format!("    let response = {};\n", calls.join("\n        ")),
    };
    if let Some(status) = request.status {
        *text += &format!("    ensure!(response.status() == {status}, \"the status is {{}}\", response.status());\n");
    }
    *text += "    response.bytes().await?;\n";
}

/// An argument of `json!`.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        // A number without a suffix is an `i32`.
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) if i32::try_from(whole).is_ok() => whole.to_string(),
            (Some(whole), _) => format!("{whole}_i64"),
            (None, Some(whole)) => format!("{whole}_u64"),
            (None, None) => number.to_string(),
        },
        Value::Array(values) => format!("[{}]", values.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name:?}: {}", literal(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}
