//! Sessions of other types than [`Session`](super::Session).

/// The options of your own session type.
///
/// `setup` may return them like the [`SessionOptions`](super::SessionOptions) of HTTP, alone or as one part of a tuple. The
/// `session_factory` gets them from [`Context::options`](super::Context::options).
///
/// ```
/// use molotov::{prelude::*, session::Options};
///
/// struct LineOptions {
///     address: String,
/// }
///
/// impl Options for LineOptions {}
///
/// struct LineSession {
///     options: Rc<LineOptions>,
/// }
///
/// #[molotov::setup]
/// async fn options() -> (SessionOptions, LineOptions) {
///     (SessionOptions::new(), LineOptions { address: "127.0.0.1:8081".to_owned() })
/// }
///
/// #[molotov::session_factory]
/// async fn open(ctx: &Context) -> Result<LineSession> {
///     Ok(LineSession { options: ctx.options()? })
/// }
/// ```
pub trait Options: 'static {}
