//! Chat completions that stream: the time to the first token, the time between tokens, and tokens a second.

use molotov::prelude::*;
use molotov_examples::at;

#[scenario]
async fn chat(session: &Session, ctx: &Context) -> Result<()> {
    let question = json!({
        "model": "small",
        "messages": [{"role": "user", "content": "What is load testing?"}],
        "stream": true,
    });
    let mut events = session.post(at("/v1/chat/completions")).json(&question).send().await?.events()?;
    let (mut tokens, mut done) = (Vec::new(), false);
    // The connection is kept if the stream is read to its end, which comes after `[DONE]`.
    while let Some(event) = events.next().await? {
        if event.data() == "[DONE]" {
            done = true;
            continue;
        }
        let chunk: Value = event.json()?;
        // The first chunk may have a role only, and the last one a reason to finish.
        if chunk["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty()) {
            tokens.push(event.since_start());
        }
    }
    ensure!(done, "the answer ended after {} tokens, before `[DONE]`", tokens.len());
    ctx.count("tokens", tokens.len() as u64);
    if let [first, .., last] = tokens[..] {
        ctx.record("tokens/s", (tokens.len() - 1) as f64 / (last - first).as_secs_f64());
    }
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
