//! Shoppers of a shop. `cargo run --example storefront -- --host http://127.0.0.1:8080 -w 4 -r 3`; the target server has the shop.

use molotov::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// What a worker knows after its login.
struct Shopper {
    token: String,
    csrf: String,
}

#[setup_session]
async fn log_in(session: &Session, ctx: &Context) -> Result<()> {
    let name = ["ada", "grace", "edsger"][ctx.worker_number() % 3];
    let user = json!({"name": name, "password": name.chars().rev().collect::<String>()});
    let tokens: Value = session.post("/shop/login").json(&user).send().await?.error_for_status()?.json().await?;
    remember(ctx, &tokens);
    Ok(())
}

fn remember(ctx: &Context, tokens: &Value) {
    let text = |name: &str| tokens[name].as_str().unwrap_or_default().to_owned();
    ctx.attach(Shopper { token: text("token"), csrf: text("csrf") });
}

/// Searches, with a new token if the last one has expired, and later if there are too many requests.
async fn search(session: &Session, ctx: &Context) -> Result<Value> {
    loop {
        let token = ctx.attached::<Shopper>().context("no login")?.token.clone();
        let request =
            session.get("/shop/search?q=book").bearer_auth(token).expect([200, 401, 429]).tag("page", "search");
        let response = request.send().await?;
        match response.status().as_u16() {
            401 => remember(ctx, &session.post("/shop/refresh").send().await?.error_for_status()?.json().await?),
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
        let csrf = ctx.attached::<Shopper>().context("no login")?.csrf.clone();
        let item = json!({"item": found["items"][0]["id"], "reference": ctx.unique()});
        let order = session.post("/shop/orders").header("x-csrf-token", csrf).json(&item).send().await?;
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
