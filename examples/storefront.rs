//! Shoppers of a shop. `cargo run --example storefront -- --host http://127.0.0.1:8080 -w 4 -r 3`; the target server has the shop.

use molotov::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// A row of the file, which a worker keeps.
#[data("python/storefront.csv")]
#[derive(Deserialize, Serialize)]
struct User {
    name: String,
    password: String,
}

/// Attaches the tokens of the login to the worker.
#[setup_session]
async fn log_in(session: &Session, ctx: &Context, user: &User) -> Result<()> {
    ctx.attach::<Value>(session.post("/shop/login").json(user).send().await?.error_for_status()?.json().await?);
    Ok(())
}

fn token(ctx: &Context, name: &str) -> Result<String> {
    let tokens = ctx.attached::<Value>().context("there was no login")?;
    Ok(tokens[name].as_str().context("there is no token")?.to_owned())
}

/// Searches, with a new token if the last one has expired, and later if there are too many requests.
async fn search(session: &Session, ctx: &Context) -> Result<Value> {
    loop {
        let token = token(ctx, "token")?;
        let request =
            session.get("/shop/search?q=book").bearer_auth(token).expect([200, 401, 429]).tag("page", "search");
        let response = request.send().await?;
        match response.status().as_u16() {
            401 => ctx.attach::<Value>(session.post("/shop/refresh").send().await?.error_for_status()?.json().await?),
            429 => {
                ctx.count("limited", 1);
                let after = response.headers().get("retry-after").context("no Retry-After")?;
                ctx.think(after.to_str()?.parse::<f64>()?).await;
            }
            _ => return Ok(response.json().await?),
        }
    }
}

#[scenario(weight = 2, delay = "exp(10ms)")]
async fn buy(session: &Session, ctx: &Context) -> Result<()> {
    let found = search(session, ctx).await?;
    ctx.check("has items", found["items"].as_array().is_some_and(|items| !items.is_empty()));
    ctx.think(0.01..0.05).await;
    ctx.group("checkout", async {
        let item = json!({"item": found["items"][0]["id"], "reference": ctx.unique()});
        let order = session.post("/shop/orders").header("x-csrf-token", token(ctx, "csrf")?).json(&item).send().await?;
        let order: Value = order.error_for_status()?.json().await?;
        session.get(format!("/shop/orders/{}", order["id"])).send().await?.check("paid", |order| order.status() == 200);
        ctx.record("basket", found["items"][0]["price"].as_f64().unwrap_or_default());
        Ok(())
    })
    .await?;
    let mut events = session.get("/shop/events").send().await?.events()?;
    while events.next().await?.is_some() {}
    session.get("/shop/orders/999999").expect(404).send().await?;
    Ok(())
}

#[scenario(name = "chat and upload")]
async fn talk(session: &Session, ctx: &Context) -> Result<()> {
    let picture = molotov::multipart::Part::bytes(vec![7; 10_000]).file_name("me.png");
    session
        .post("/shop/avatar")
        .multipart(molotov::multipart::Form::new().part("file", picture))
        .send()
        .await?
        .error_for_status()?;
    let socket = session.websocket("/shop/live").connect().await?;
    ctx.check("echoes", socket.request("hello").await? == "hello");
    socket.close(1000, "").await?;
    let mut operation = ctx.operation("LINE", "stock").await;
    let reply = async {
        let address = std::env::var("MOLOTOV_LINES").unwrap_or_else(|_| "127.0.0.1:8081".to_owned());
        let (mut stream, mut line) = (BufStream::new(TcpStream::connect(address).await?), String::new());
        stream.write_all(b"echo book\n").await?;
        stream.flush().await?;
        stream.read_line(&mut line).await?;
        Ok::<_, Failure>(line)
    };
    operation.set_status("OK");
    ctx.check("in stock", operation.finish(reply.await).await?.starts_with("OK"));
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
