//! A run of this process for a coordinator on another machine.

mod message;

#[allow(unused_imports, reason = "the parts that use them are being written")]
pub(crate) use self::message::{Failed, FromRun, Ready, Task, ToRun, Variables};
