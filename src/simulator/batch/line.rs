//! One line of an input file, and one of an output or error file.

use crate::simulator::reply::Reply;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// A line in.
#[derive(Deserialize)]
pub struct LineIn<'a> {
    #[serde(borrow)]
    pub custom_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub body: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct LineOut<'a> {
    id: String,
    custom_id: &'a str,
    response: Option<Response<'a>>,
    error: Option<LineError>,
}

#[derive(Serialize)]
struct Response<'a> {
    status_code: u16,
    request_id: String,
    body: &'a RawValue,
}

#[derive(Serialize)]
struct LineError {
    code: &'static str,
    message: &'static str,
}

/// Writes what came of a line.
pub fn write_reply(
    to: &mut impl Write,
    number: u64,
    custom_id: &str,
    reply: &Reply,
) -> io::Result<()> {
    let text;
    let body = match serde_json::from_slice(&reply.body) {
        Ok(body) => body,
        // Such as a proxy's page.
        Err(_) => {
            text = to_raw_value(&String::from_utf8_lossy(&reply.body))?;
            &*text
        }
    };
    let response =
        Response { status_code: reply.status, request_id: format!("{number:032x}"), body };
    write(to, number, custom_id, Some(response), None)
}

/// Writes that the completion window was over before the line's turn.
pub fn write_expired(to: &mut impl Write, number: u64, custom_id: &str) -> io::Result<()> {
    let error = LineError {
        code: "batch_expired",
        message: "This request could not be executed before the completion window expired.",
    };
    write(to, number, custom_id, None, Some(error))
}

fn write(
    to: &mut impl Write,
    number: u64,
    custom_id: &str,
    response: Option<Response<'_>>,
    error: Option<LineError>,
) -> io::Result<()> {
    let line = LineOut { id: format!("batch_req_{number:016x}"), custom_id, response, error };
    serde_json::to_writer(&mut *to, &line)?;
    to.write_all(b"\n")
}
