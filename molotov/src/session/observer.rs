//! How a session tells the run what it does, without knowing what a run is.

use futures_util::future::LocalBoxFuture;
use http::Method;
use url::Url;

use super::{Request, Response, Session};
use crate::metrics::RequestSample;

/// A worker's observer, attached to its context: for sessions that the engine does not make itself.
#[cfg_attr(not(feature = "python"), expect(dead_code, reason = "only Python makes such sessions"))]
pub(crate) struct Observed(pub(crate) std::rc::Rc<dyn Observer>);

/// Sees what a worker's session does.
pub(crate) trait Observer {
    /// Whether anybody wants to be told of requests and responses; without, telling costs nothing.
    fn has_listeners(&self) -> bool;

    /// Whether the worker is being cut short: then what it drops is interrupted, not ended.
    fn is_cutting(&self) -> bool;

    /// A request is about to be sent; each hop of a redirect is.
    fn sending<'a>(&'a self, session: &'a Session, request: &'a Request) -> LocalBoxFuture<'a, ()>;

    /// The answer has come; the scenario has not seen it.
    fn received<'a>(
        &'a self,
        session: &'a Session,
        request: &'a Request,
        response: &'a Response,
    ) -> LocalBoxFuture<'a, ()>;

    /// The name under which statsd is told of a request; `None` where nobody tells statsd.
    fn metric(&self, method: &Method, url: &Url) -> Option<String>;

    /// A request is over: told once for each, whatever became of it.
    fn measured(&self, name: &str, metric: Option<&str>, sample: RequestSample);

    /// A cookie was dropped because its server, at this host, has no name.
    fn cookie_dropped(&self, host: &str) {
        let _ = host;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
        runtime::{Builder, LocalOptions},
    };

    use super::*;
    use crate::session::{Context, SessionOptions};

    /// Attaches a number to each request, and notes what becomes of it.
    #[derive(Default)]
    struct Numbering {
        sent: RefCell<Vec<(String, Rc<()>)>>,
        answered: RefCell<Vec<String>>,
    }

    struct Sent(String, #[expect(dead_code, reason = "counts who holds it")] Rc<()>);

    impl Observer for Numbering {
        fn has_listeners(&self) -> bool {
            true
        }

        fn is_cutting(&self) -> bool {
            false
        }

        fn sending<'a>(&'a self, _: &'a Session, request: &'a Request) -> LocalBoxFuture<'a, ()> {
            let (path, held) = (request.url().path().to_owned(), Rc::new(()));
            assert!(request.attached::<Sent>().is_none(), "{path} has what belongs to another request");
            request.attach(Sent(path.clone(), held.clone()));
            self.sent.borrow_mut().push((path, held));
            Box::pin(async {})
        }

        fn received<'a>(
            &'a self,
            _: &'a Session,
            request: &'a Request,
            response: &'a Response,
        ) -> LocalBoxFuture<'a, ()> {
            let sent = request.attached::<Sent>().expect("the request has lost what was attached to it");
            assert_eq!(sent.0, response.url().path());
            self.answered.borrow_mut().push(sent.0.clone());
            Box::pin(async {})
        }

        fn metric(&self, _: &Method, _: &Url) -> Option<String> {
            None
        }

        fn measured(&self, _: &str, _: Option<&str>, _: RequestSample) {}
    }

    /// Answers 200, but for `/moved`, which leads to `/here`, and `/broken`, where it hangs up.
    async fn serve(listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut stream = BufReader::new(stream);
                let (mut path, mut line) = (String::new(), String::new());
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    if let Some(asked) = line.strip_prefix("GET ") {
                        path = asked.split(' ').next().unwrap_or_default().to_owned();
                    } else if line == "\r\n" {
                        let answer: &[u8] = match path.as_str() {
                            "/moved" => b"HTTP/1.1 302 Found\r\nlocation: /here\r\ncontent-length: 0\r\n\r\n",
                            "/broken" => return,
                            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                        };
                        stream.write_all(answer).await.unwrap();
                    }
                    line.clear();
                }
            });
        }
    }

    #[test]
    fn what_is_attached_to_a_request_lives_as_long_as_the_request() {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::task::spawn_local(serve(listener));
            let session = Session::new(SessionOptions::new()).unwrap();
            let numbering = Rc::new(Numbering::default());
            session.observe(Context::outside(), numbering.clone());
            let send = |path: &str| session.get(format!("http://{address}{path}")).send();
            let (first, second, moved, broken) = tokio::join!(send("/1"), send("/2"), send("/moved"), send("/broken"));
            assert!(first.is_ok() && second.is_ok() && moved.is_ok() && broken.is_err());
            let mut answered = numbering.answered.take();
            answered.sort();
            assert_eq!(answered, ["/1", "/2", "/here"]);
            let sent = numbering.sent.take();
            assert_eq!(sent.len(), 5);
            for (path, held) in sent {
                assert_eq!(Rc::strong_count(&held), 1, "the request for {path} is over, and still held");
            }
        });
    }
}
