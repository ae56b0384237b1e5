//! In which way a provider counts.

use crate::simulator::{
    time::{Written, parse_time},
    words::UnknownWord,
};
use std::{fmt, str::FromStr, time::Duration};

/// The shortest window or burst: what headers and timers can tell.
const SHORTEST: Duration = Duration::from_millis(1);

const MINUTE: Duration = Duration::from_secs(60);

/// How a limit of so many a minute is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitShape {
    /// Fills evenly; `burst` is the rest that fills an empty one. A minute is what OpenAI
    /// states; a second makes a strict provider.
    TokenBucket { burst: Duration },
    /// Counts from nought again in each window.
    FixedWindow { window: Duration },
    /// Counts what was let in during the window that ends now.
    SlidingLog { window: Duration },
    /// Nginx's leaky bucket of integer milliseconds. It counts requests only. `delay` holds a
    /// request back until the bucket has leaked, as nginx does without its word `nodelay`.
    LimitReq { burst: u32, delay: bool },
}

impl Default for LimitShape {
    fn default() -> Self {
        Self::TokenBucket { burst: MINUTE }
    }
}

impl fmt::Display for LimitShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TokenBucket { burst } => write!(f, "bucket:{}", Written(burst)),
            Self::FixedWindow { window } => write!(f, "window:{}", Written(window)),
            Self::SlidingLog { window } => write!(f, "log:{}", Written(window)),
            Self::LimitReq { burst, delay: true } => write!(f, "limit_req:{burst}"),
            Self::LimitReq { burst, delay: false } => write!(f, "limit_req:{burst}:nodelay"),
        }
    }
}

/// A shape that does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitShapeError {
    #[error(transparent)]
    Unknown(#[from] UnknownWord),
    #[error("\"{text}\" has no time from 1ms after the colon; write it as in \"{name}:10s\"")]
    Time { text: String, name: &'static str },
    #[error("\"{text}\" has no burst after the colon; write limit_req:5 or limit_req:5:nodelay")]
    Burst { text: String },
}

impl FromStr for LimitShape {
    type Err = LimitShapeError;

    /// Reads `bucket`, `window` or `log` with a time, a minute where there is none; or
    /// `limit_req` with its burst and `nodelay`.
    fn from_str(text: &str) -> Result<Self, LimitShapeError> {
        let (name, rest) =
            text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let time = |name| match rest {
            None => Ok(MINUTE),
            Some(rest) => parse_time(rest)
                .filter(|time| *time >= SHORTEST)
                .ok_or_else(|| LimitShapeError::Time { text: text.to_owned(), name }),
        };
        match name {
            "bucket" => Ok(Self::TokenBucket { burst: time("bucket")? }),
            "window" => Ok(Self::FixedWindow { window: time("window")? }),
            "log" => Ok(Self::SlidingLog { window: time("log")? }),
            "limit_req" => {
                let rest = rest.unwrap_or("0");
                let (burst, delay) =
                    rest.strip_suffix(":nodelay").map_or((rest, true), |burst| (burst, false));
                let burst =
                    burst.parse().map_err(|_| LimitShapeError::Burst { text: text.to_owned() })?;
                Ok(Self::LimitReq { burst, delay })
            }
            _ => {
                let known = ["bucket", "window", "log", "limit_req"];
                Err(UnknownWord::new("limit shape", name, &known).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_reads_as_it_is_written() {
        for (text, written) in [
            ("bucket", "bucket:1m"),
            ("bucket:1s", "bucket:1s"),
            ("window:10s", "window:10s"),
            ("log", "log:1m"),
            ("limit_req", "limit_req:0"),
            ("limit_req:5", "limit_req:5"),
            ("limit_req:5:nodelay", "limit_req:5:nodelay"),
        ] {
            let shape: LimitShape = text.parse().unwrap();
            assert_eq!(shape.to_string(), written);
            assert_eq!(written.parse(), Ok(shape));
        }
        for (text, message) in [
            ("windw", "did you mean \"window\"?; known are bucket, window, log, limit_req"),
            ("log:", "\"log:\" has no time from 1ms after the colon; write it as in \"log:10s\""),
            ("window:0s", "no time from 1ms"),
            ("limit_req:x", "write limit_req:5 or limit_req:5:nodelay"),
            ("limit_req:5:delay", "write limit_req:5 or limit_req:5:nodelay"),
        ] {
            let error = text.parse::<LimitShape>().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
