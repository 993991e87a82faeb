//! Writes recorded requests as a Python script.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{Body, Recorded, Recording};

/// The methods that a session has a function for.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(super) fn script(recording: &Recording) -> String {
    let requests = &recording.requests;
    let mut text = "\"\"\"A load test, written by Molotov from recorded requests.\"\"\"\n\n".to_owned();
    if requests.iter().any(|request| request.basic.is_some()) {
        text += "import base64\n";
    }
    if requests.iter().any(|request| matches!(request.body, Body::Multipart(_))) {
        text += "\nfrom aiohttp import FormData\n";
    }
    text += &format!("\nimport molotov\n\nHOST = {}\n\n", quoted(recording.host()));
    text = text.replace("\"\"\"\n\n\nimport", "\"\"\"\n\nimport");
    if !recording.headers.is_empty() {
        text += "\n@molotov.setup()\nasync def options(worker_id, args):\n    return {\n        \"headers\": {\n";
        for (name, value) in &recording.headers {
            text += &format!("            {}: {},\n", quoted(name), quoted(value));
        }
        text += "        }\n    }\n\n";
    }
    text += "\n@molotov.scenario()\nasync def recorded(session):\n";
    for (index, request) in requests.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        add(request, recording, &mut text);
    }
    text
}

fn add(request: &Recorded, recording: &Recording, text: &mut String) {
    if request.pause > Duration::ZERO {
        *text += &format!("    await molotov.think({:.1})\n", request.pause.as_secs_f64());
    }
    let url = match recording.path(&request.url) {
        Some(path) => format!("HOST + {}", quoted(path)),
        None => quoted(request.url.as_str()),
    };
    let mut arguments = match METHODS.contains(&request.method.as_str()) {
        true => vec![url],
        false => vec![quoted(&request.method), url],
    };
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
    if let Some((user, password)) = &request.basic {
        let login = quoted(&format!("{user}:{password}"));
        headers.push(format!("\"Authorization\": \"Basic \" + base64.b64encode({login}.encode()).decode()"));
    }
    match headers.len() {
        0 => {}
        1 => arguments.push(format!("headers={{{}}}", headers[0])),
        _ => arguments.push(format!("headers={{\n            {},\n        }}", headers.join(",\n            "))),
    }
    match &request.body {
        Body::None => {}
        Body::Text(body) => arguments.push(format!("data={}", quoted(body))),
        Body::Json(value) => arguments.push(format!("json={}", literal(value))),
        Body::Form(pairs) => {
            let names: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
            let (open, separator, close) = match names.len() == pairs.len() {
                true => ("{", ": ", "}"),
                false => ("[", ", ", "]"),
            };
            let pairs = pairs.iter().map(|(name, value)| {
                let pair = format!("{}{separator}{}", quoted(name), quoted(value));
                if open == "[" { format!("({pair})") } else { pair }
            });
            arguments.push(format!("data={open}{}{close}", pairs.collect::<Vec<_>>().join(", ")));
        }
        Body::Multipart(parts) => {
            *text += "    form = FormData()\n";
            for part in parts {
                let value = match part.is_file {
                    true => format!("open({}, \"rb\")", quoted(&part.value)),
                    // As text, a form without files would not be multipart.
                    false => format!("{}, content_type=\"text/plain\"", quoted(&part.value)),
                };
                *text += &format!("    form.add_field({}, {value})\n", quoted(&part.name));
            }
            arguments.push("data=form".to_owned());
        }
    }
    if let Some(timeout) = request.timeout {
        arguments.push(format!("timeout={timeout}"));
    }
    if recording.insecure {
        arguments.push("ssl=False".to_owned());
    }
    let function = match METHODS.contains(&request.method.as_str()) {
        true => request.method.to_ascii_lowercase(),
        false => "request".to_owned(),
    };
    let line = arguments.join(", ");
    *text += &match line.len() < 80 && !line.contains('\n') {
        true => format!("    async with session.{function}({line}) as response:\n"),
        false => {
            let lines = arguments.join(",\n        ");
            format!("    async with session.{function}(\n        {lines},\n    ) as response:\n")
        }
    };
    *text += &match request.status {
        Some(status) => format!("        assert response.status == {status}, response.status\n"),
        None => "        assert response.status < 400, response.status\n".to_owned(),
    };
    *text += "        await response.read()\n";
}

/// A literal. Strings of JSON are strings of Python, too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{}: {}", quoted(name), literal(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}
