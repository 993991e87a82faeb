//! A shop that has what real ones have: login with a cookie, tokens that expire, orders with CSRF tokens, uploads, server-sent
//! events, a WebSocket, and a limit of requests. It counts each response: `GET /shop/search 200`.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Multipart, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{Counter, echo};

/// How many requests a token allows.
const USES: u32 = 5;

/// Each of this many searches is refused, because there are too many.
const LIMIT: u64 = 10;

/// What the shop knows.
#[derive(Clone)]
struct Shop {
    counter: Counter,
    state: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// How many requests each token still allows.
    tokens: HashMap<String, u32>,
    issued: u64,
    searches: u64,
    limited: u64,
    orders: u64,
}

/// Returns the routes of the shop.
pub(super) fn router(counter: Counter) -> Router {
    let shop = Shop { counter, state: Arc::default() };
    Router::new()
        .route("/shop/login", post(login))
        .route("/shop/refresh", post(refresh))
        .route("/shop/search", get(search))
        .route("/shop/limited", get(limited))
        .route("/shop/orders", post(order))
        .route("/shop/orders/{id}", get(status))
        .route("/shop/avatar", post(avatar))
        .route("/shop/events", get(events))
        .route(
            "/shop/live",
            get(async |State(shop): State<Shop>, request: Request| echo::websocket(shop.counter, request)),
        )
        .layer(from_fn_with_state(shop.clone(), count))
        .with_state(shop)
}

impl Shop {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issue(&self) -> Json<Value> {
        let mut known = self.known();
        known.issued += 1;
        let token = format!("token-{}", known.issued);
        known.tokens.insert(token.clone(), USES);
        Json(json!({"token": token, "csrf": format!("csrf-of-{token}")}))
    }
}

async fn count(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path());
    let path = if path.starts_with("/shop/orders/") { "/shop/orders/{n}".to_owned() } else { path.to_owned() };
    let response = next.run(request).await;
    shop.counter.add(&format!("{method} {path} {}", response.status().as_u16()));
    response
}

/// Returns whether a request has the cookie of the login.
fn is_known(headers: &HeaderMap) -> bool {
    headers.get(header::COOKIE).is_some_and(|cookie| cookie.as_bytes().starts_with(b"shopper="))
}

/// Sets the cookie of a user whose password is the name backwards.
async fn login(State(shop): State<Shop>, Json(user): Json<Value>) -> Response {
    let (name, password) = (user["name"].as_str().unwrap_or_default(), user["password"].as_str().unwrap_or_default());
    if name.is_empty() || !name.chars().rev().eq(password.chars()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    ([(header::SET_COOKIE, format!("shopper={name}; Path=/shop"))], shop.issue()).into_response()
}

/// Returns a new token to a user with the cookie.
async fn refresh(State(shop): State<Shop>, headers: HeaderMap) -> Response {
    if is_known(&headers) { shop.issue().into_response() } else { StatusCode::FORBIDDEN.into_response() }
}

/// Needs a token that has not expired.
async fn search(State(shop): State<Shop>, headers: HeaderMap) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut known = shop.known();
    match known.tokens.get_mut(authorization.trim_start_matches("Bearer ")) {
        Some(uses) if *uses > 0 => *uses -= 1,
        _ => return StatusCode::UNAUTHORIZED.into_response(),
    }
    known.searches += 1;
    if known.searches.is_multiple_of(LIMIT) {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
    }
    Json(json!({"items": [{"id": 7, "name": "book", "price": 12.5}, {"id": 8, "name": "lamp", "price": 40.0}]}))
        .into_response()
}

/// Refuses every other request, because there are too many.
async fn limited(State(shop): State<Shop>) -> Response {
    let mut known = shop.known();
    known.limited += 1;
    match known.limited.is_multiple_of(2) {
        true => Json(json!({"result": "OK"})).into_response(),
        false => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
    }
}

/// Needs the cookie and the CSRF token.
async fn order(State(shop): State<Shop>, headers: HeaderMap, Json(item): Json<Value>) -> Response {
    if !is_known(&headers) || !headers.contains_key("x-csrf-token") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut known = shop.known();
    known.orders += 1;
    (StatusCode::CREATED, Json(json!({"id": known.orders, "item": item["item"]}))).into_response()
}

/// Orders that nobody has made are not found.
async fn status(State(shop): State<Shop>, Path(id): Path<u64>) -> Response {
    match (1..=shop.known().orders).contains(&id) {
        true => Json(json!({"id": id, "status": "paid"})).into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Returns the size of the uploaded file.
async fn avatar(mut form: Multipart) -> Response {
    let mut size = 0;
    while let Ok(Some(field)) = form.next_field().await {
        size += field.bytes().await.map_or(0, |bytes| bytes.len());
    }
    (StatusCode::CREATED, Json(json!({"size": size}))).into_response()
}

/// Streams what happens to an order.
async fn events(State(shop): State<Shop>) -> Response {
    let events = stream::iter(["paid", "packed", "sent"]).then(move |what| {
        shop.counter.add("events");
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, Infallible>(Event::default().data(what))
        }
    });
    Sse::new(events).into_response()
}
