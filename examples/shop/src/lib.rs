//! The scenarios of a shop. They are in the library, so that `cargo run` and the tests share them.

use molotov::prelude::*;

/// Returns the URL of the shop. Tests set the variable, `cargo run` reads `SHOP_URL`.
fn url(path: &str) -> String {
    let base =
        get_var_or_init("shop", || std::env::var("SHOP_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned()));
    format!("{base}{path}")
}

/// Opens the front page.
#[scenario(weight = 70)]
pub async fn browse(session: &Session) -> Result<()> {
    let response = session.get(url("/")).send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

/// Puts a book into the cart.
#[scenario(weight = 30)]
pub async fn buy(session: &Session) -> Result<()> {
    let response = session.post(url("/cart")).json(&json!({"item": "book"})).send().await?;
    assert_eq!(response.status(), 201, "the cart took nothing");
    Ok(())
}
