//! What sessions report to the run, without knowing it.

use futures_util::future::LocalBoxFuture;
use std::time::Duration;

use http::Method;
use url::Url;

use super::{Operation, Request, Response, Session};
use crate::metrics::{OperationSample, Outcome};

/// Observes what the sessions of a worker do.
pub(crate) trait Observer {
    /// Returns whether there are listeners. If not, the methods that call them need not be called.
    fn has_listeners(&self) -> bool;

    /// Returns whether the end of the run cancels the worker. Whatever is dropped meanwhile is interrupted.
    fn is_cutting(&self) -> bool;

    /// Calls the listeners before an HTTP request is sent, and before each hop of a redirect.
    fn sending<'a>(&'a self, session: &'a Session, request: &'a Request) -> LocalBoxFuture<'a, ()>;

    /// Calls the listeners with a response, before the scenario sees it.
    fn received<'a>(
        &'a self,
        session: &'a Session,
        request: &'a Request,
        response: &'a Response,
    ) -> LocalBoxFuture<'a, ()>;

    /// Calls the listeners before an operation of another protocol starts.
    fn operation_started<'a>(&'a self, operation: &'a Operation) -> LocalBoxFuture<'a, ()> {
        let _ = operation;
        Box::pin(async {})
    }

    /// Calls the listeners after an operation of another protocol has ended.
    fn operation_ended<'a>(
        &'a self,
        operation: &'a Operation,
        outcome: Outcome,
        elapsed: Duration,
    ) -> LocalBoxFuture<'a, ()> {
        let _ = (operation, outcome, elapsed);
        Box::pin(async {})
    }

    /// Returns the name of an HTTP request in statsd; `None` without statsd.
    fn request_metric(&self, method: &Method, url: &Url) -> Option<String>;

    /// Returns the name of another operation in statsd; `None` without statsd.
    fn operation_metric(&self, protocol: &str, name: &str) -> Option<String> {
        let _ = (protocol, name);
        None
    }

    /// Records an operation that has ended, once for each. `group` is the path of the group in which it started, and `metric`
    /// its name in statsd.
    fn measured(
        &self,
        group: Option<&str>,
        protocol: &str,
        name: &str,
        metric: Option<&str>,
        sample: OperationSample<'_>,
    );

    /// Records an operation under one of its tags, such as `region=eu`.
    fn tagged(&self, tag: &str, protocol: &str, sample: OperationSample<'_>) {
        let _ = (tag, protocol, sample);
    }

    /// Records the result of a check. `Err` has what was wrong, if the check says so. `place` returns `file:line` of the check,
    /// if known, and is called for the first failure only.
    fn checked(
        &self,
        name: &str,
        scenario: &str,
        result: Result<(), Option<String>>,
        place: &dyn Fn() -> Option<String>,
    ) {
        let _ = (name, scenario, result, place);
    }

    /// Adds to a counter of the scenario's own.
    fn counted(&self, name: &str, number: u64) {
        let _ = (name, number);
    }

    /// Records a finite number of the scenario's own.
    fn recorded(&self, name: &str, value: f64) {
        let _ = (name, value);
    }

    /// Sets a gauge of the scenario's own to a finite number.
    fn gauged(&self, name: &str, value: f64) {
        let _ = (name, value);
    }

    /// Adds bytes to the row of an operation that has been recorded.
    fn transferred(&self, group: Option<&str>, protocol: &str, name: &str, bytes_in: u64, bytes_out: u64) {
        let _ = (group, protocol, name, bytes_in, bytes_out);
    }

    /// Records a step that has ended.
    fn step(&self, name: &str, outcome: Outcome, took: Duration) {
        let _ = (name, outcome, took);
    }

    /// Notes that a request was sent over a new connection to the server of this URL.
    fn connected(&self, url: &Url) {
        let _ = url;
    }

    /// Notes that a cookie was dropped because the server at this host has no name.
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

    /// Attaches a value to each request, and records the responses.
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

        fn request_metric(&self, _: &Method, _: &Url) -> Option<String> {
            None
        }

        fn measured(&self, _: Option<&str>, _: &str, _: &str, _: Option<&str>, _: OperationSample<'_>) {}
    }

    /// Responds with 200, except that `/moved` redirects to `/here` and `/broken` closes the connection.
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
    fn values_attached_to_a_request_are_dropped_with_it() {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::task::spawn_local(serve(listener));
            let session = Session::new(SessionOptions::new()).unwrap();
            let numbering = Rc::new(Numbering::default());
            session.belong_to(Context::outside().with_observer(numbering.clone()));
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
