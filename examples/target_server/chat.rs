//! Chat completions in the format of OpenAI, which vLLM, llama.cpp and others serve too. The answer is always the same.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// The time to the first token, which depends on the question in a real service.
const FIRST: Duration = Duration::from_millis(30);

/// The time from one token to the next.
const NEXT: Duration = Duration::from_millis(5);

const ANSWER: &str = "Load testing shows how a service behaves when many users need it at the same time.";

/// Answers a question, as a stream of tokens if it has `"stream": true`.
pub(crate) async fn completion(Json(question): Json<Value>) -> Response {
    let (model, tokens) = (question["model"].clone(), ANSWER.split_inclusive(' '));
    let choice =
        |key: &str, value: Value, finish: Option<&str>| json!([{"index": 0, key: value, "finish_reason": finish}]);
    if question["stream"] != true {
        tokio::time::sleep(FIRST + NEXT * (tokens.count() as u32 - 1)).await;
        let choices = choice("message", json!({"role": "assistant", "content": ANSWER}), Some("stop"));
        return Json(json!({"id": "chatcmpl-1", "object": "chat.completion", "model": model, "choices": choices}))
            .into_response();
    }
    let chunk = move |delta: Value, finish| {
        let choices = choice("delta", delta, finish);
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": model, "choices": choices}).to_string()
    };
    let mut events: Vec<_> = tokens.map(|token| (NEXT, chunk(json!({"content": token}), None))).collect();
    events[0].0 = FIRST;
    events.push((Duration::ZERO, chunk(json!({}), Some("stop"))));
    events.push((Duration::ZERO, "[DONE]".to_owned()));
    let events = stream::iter(events).then(async |(pause, data)| {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok::<_, Infallible>(Event::default().data(data))
    });
    Sse::new(events).into_response()
}
