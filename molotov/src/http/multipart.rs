//! Multipart forms, with the names of `reqwest`.

use std::{borrow::Cow, path::Path};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio_util::io::ReaderStream;

use super::{
    BoxError, Error, ErrorKind,
    request::{Body, LocalByteStream},
};

/// A multipart form, which can have files.
///
/// ```
/// use molotov::session::multipart::{Form, Part};
/// let form = Form::new()
///     .text("title", "holiday")
///     .part("photo", Part::bytes(vec![1, 2, 3]).file_name("beach.png").mime_str("image/png")?);
/// # Ok::<(), molotov::Error>(())
/// ```
#[derive(Debug)]
pub struct Form {
    boundary: String,
    parts: Vec<(Cow<'static, str>, Part)>,
}

/// A part of a form: text, bytes, a stream, or a file.
///
/// ```no_run
/// use molotov::session::multipart::{Form, Part};
/// # async fn sample() -> Result<(), molotov::Error> {
/// let photo = Part::file("beach.png").await?.mime_str("image/png")?;
/// let form = Form::new().part("photo", photo).part("note", Part::text("at noon"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Part {
    content: Content,
    file_name: Option<Cow<'static, str>>,
    mime: Option<String>,
}

enum Content {
    Bytes(Bytes),
    Stream(LocalByteStream, Option<u64>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Content::Stream(_, length) => write!(f, "stream of {length:?} bytes"),
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Form::new()
    }
}

impl Form {
    /// Returns an empty form.
    pub fn new() -> Form {
        let boundary = format!("{:016x}-{:016x}", fastrand::u64(..), fastrand::u64(..));
        Form { boundary, parts: Vec::new() }
    }

    /// Returns the boundary between the parts.
    pub fn boundary(&self) -> &str {
        &self.boundary
    }

    /// Adds a text field.
    pub fn text(self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Form {
        self.part(name, Part::text(value))
    }

    /// Adds a part.
    pub fn part(mut self, name: impl Into<Cow<'static, str>>, part: Part) -> Form {
        self.parts.push((name.into(), part));
        self
    }

    /// Returns the body of the form: bytes if all parts are in memory, a stream otherwise.
    pub(crate) fn into_body(self) -> Body {
        let close = Bytes::from(format!("--{}--\r\n", self.boundary));
        let mut length = Some(close.len() as u64);
        let mut pieces: Vec<LocalByteStream> = Vec::new();
        let mut memory = BytesMut::new();
        for (name, part) in self.parts {
            memory.extend_from_slice(part.head(&self.boundary, &name).as_bytes());
            match part.content {
                Content::Bytes(bytes) => memory.extend_from_slice(&bytes),
                Content::Stream(stream, known) => {
                    pieces.push(once(memory.split().freeze(), &mut length));
                    length = length.zip(known).map(|(sum, known)| sum + known);
                    pieces.push(stream);
                }
            }
            memory.extend_from_slice(b"\r\n");
        }
        if pieces.is_empty() {
            memory.extend_from_slice(&close);
            return Body::Bytes(memory.freeze());
        }
        pieces.push(once(memory.freeze(), &mut length));
        pieces.push(Box::pin(stream::once(async move { Ok(close) })));
        Body::Stream { stream: Box::pin(stream::iter(pieces).flatten()), length }
    }
}

fn once(bytes: Bytes, length: &mut Option<u64>) -> LocalByteStream {
    *length = length.map(|sum| sum + bytes.len() as u64);
    Box::pin(stream::once(async move { Ok(bytes) }))
}

impl Part {
    fn of(content: Content) -> Part {
        Part { content, file_name: None, mime: None }
    }

    /// Returns a part with text.
    pub fn text(value: impl Into<Cow<'static, str>>) -> Part {
        Part::of(Content::Bytes(value.into().into_owned().into()))
    }

    /// Returns a part with bytes.
    pub fn bytes(value: impl Into<Cow<'static, [u8]>>) -> Part {
        Part::of(Content::Bytes(value.into().into_owned().into()))
    }

    /// Returns a part that is sent while the stream produces it.
    pub fn stream<S, B, E>(stream: S) -> Part
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        Part::of(Content::Stream(Box::pin(stream.map_ok(Into::into).map_err(Into::into)), None))
    }

    /// Returns a part like [`stream`](Self::stream), with a known length in bytes.
    pub fn stream_with_length<S, B, E>(stream: S, length: u64) -> Part
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        Part::of(Content::Stream(Box::pin(stream.map_ok(Into::into).map_err(Into::into)), Some(length)))
    }

    /// Returns a part with the content and the name of a file, which is read while it is sent.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub async fn file(path: impl AsRef<Path>) -> Result<Part, Error> {
        let path = path.as_ref();
        let cannot = |error| {
            Error::new(ErrorKind::Builder, format!("cannot read the file {}", path.display())).with_source(error)
        };
        let file = tokio::fs::File::open(path).await.map_err(cannot)?;
        let length = file.metadata().await.map_err(cannot)?.len();
        let part = Part::stream_with_length(ReaderStream::new(file), length);
        Ok(match path.file_name() {
            Some(name) => part.file_name(name.to_string_lossy().into_owned()),
            None => part,
        })
    }

    /// Sets the file name of the part.
    pub fn file_name(mut self, name: impl Into<Cow<'static, str>>) -> Part {
        self.file_name = Some(name.into());
        self
    }

    /// Sets the content type of the part, such as `"image/png"`.
    ///
    /// # Errors
    ///
    /// Returns an error if the content type is invalid.
    pub fn mime_str(mut self, mime: &str) -> Result<Part, Error> {
        let valid = mime.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
            && mime.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !valid {
            return Err(Error::new(ErrorKind::Builder, format!("`{}` is not a content type", mime.escape_debug())));
        }
        self.mime = Some(mime.to_owned());
        Ok(self)
    }

    fn head(&self, boundary: &str, name: &str) -> String {
        let mut head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", quote(name));
        if let Some(file_name) = &self.file_name {
            head.push_str(&format!("; filename=\"{}\"", quote(file_name)));
        }
        head.push_str("\r\n");
        let mime = self.mime.as_deref().or(self.file_name.as_ref().map(|_| "application/octet-stream"));
        if let Some(mime) = mime {
            head.push_str(&format!("content-type: {mime}\r\n"));
        }
        head.push_str("\r\n");
        head
    }
}

/// Escapes a name as browsers do.
fn quote(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn forms_in_memory_and_streams_are_encoded_alike() {
        let mut form = Form::new().text("a", "1").part("f", Part::bytes(&b"xyz"[..]).file_name("q\"uote"));
        form.boundary = "B".to_owned();
        let Body::Bytes(bytes) = form.into_body() else { panic!("expected bytes") };
        let expected = "--B\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\r\ncontent-disposition: \
                        form-data; name=\"f\"; filename=\"q%22uote\"\r\ncontent-type: \
                        application/octet-stream\r\n\r\nxyz\r\n--B--\r\n";
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);

        let stream = stream::iter([Ok::<_, BoxError>("x"), Ok("yz")]);
        let mut form = Form::new().text("a", "1").part("f", Part::stream_with_length(stream, 3).file_name("q\"uote"));
        form.boundary = "B".to_owned();
        let Body::Stream { stream, length } = form.into_body() else { panic!("expected a stream") };
        let parts: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(std::str::from_utf8(&parts.concat()).unwrap(), expected);
        assert_eq!(length, Some(expected.len() as u64));
    }

    #[test]
    fn content_types_are_checked() {
        assert!(Part::text("x").mime_str("text/plain; charset=utf-8").is_ok());
        assert!(Part::text("x").mime_str("text").unwrap_err().is_builder());
        assert!(Part::text("x").mime_str("a/b\r\nx: y").is_err());
    }
}
