//! What is under way on the ssh connection that this terminal is at the end of: the bytes that the
//! other machine has not acknowledged, which Linux tells everybody in `/proc/net/tcp`. They are
//! under way wherever on the line they wait. What lies in the daemon itself is not seen, but that
//! fills up only behind a full connection.

use std::{
    fmt::Write,
    fs::File,
    io::{BufRead, BufReader},
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

/// A table that takes longer to read, as on a machine with very many connections, is left alone.
const TABLE_WITHIN: Duration = Duration::from_millis(50);

/// The connection that `SSH_CONNECTION` names.
#[derive(Debug)]
pub struct SshLine {
    /// As the tables spell them: this end, and the other one.
    ends: Vec<(&'static str, String)>,
    /// The table was too long.
    given_up: bool,
}

impl SshLine {
    /// From the environment. Within tmux and screen, the variable names the connection from which
    /// they were started, and the terminal is theirs.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let within = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        if within("TMUX") || within("STY") {
            return None;
        }
        Self::parse(&env("SSH_CONNECTION")?).filter(|line| line.acknowledged().is_some())
    }

    /// `client-ip client-port server-ip server-port`.
    fn parse(connection: &str) -> Option<Self> {
        let mut words = connection.split_whitespace();
        let mut end = || {
            let ip = words.next()?.split('%').next()?.parse::<IpAddr>().ok()?;
            Some((ip, words.next()?.parse::<u16>().ok()?))
        };
        let (other, this) = (end()?, end()?);
        let mut ends = Vec::new();
        if let (IpAddr::V4(_), IpAddr::V4(_)) = (this.0, other.0) {
            ends.push(("/proc/net/tcp", spell(this, false) + " " + &spell(other, false)));
        }
        // A daemon that listens to both has IPv4 addresses in the form of IPv6.
        ends.push(("/proc/net/tcp6", spell(this, true) + " " + &spell(other, true)));
        Some(Self { ends, given_up: false })
    }

    /// Bytes that have not arrived; `None` where that cannot be seen (any more).
    pub fn under_way(&mut self) -> Option<u64> {
        if self.given_up {
            return None;
        }
        let started = Instant::now();
        let found = self.acknowledged();
        self.given_up = started.elapsed() > TABLE_WITHIN;
        found
    }

    fn acknowledged(&self) -> Option<u64> {
        self.ends.iter().find_map(|(table, ends)| look_up(Path::new(table), ends))
    }
}

/// The fifth column of a line such as `0: 0100007F:0016 0100007F:9C40 01 00000010:00000000 …`.
fn look_up(table: &Path, ends: &str) -> Option<u64> {
    let lines = BufReader::new(File::open(table).ok()?).lines();
    let line = lines.map_while(Result::ok).find(|line| line.contains(ends))?;
    let queues = line.split_whitespace().nth(4)?;
    let (to_send, _) = queues.split_once(':')?;
    u64::from_str_radix(to_send, 16).ok()
}

/// Address and port as the tables have them: words in the machine's own byte order.
fn spell((ip, port): (IpAddr, u16), six: bool) -> String {
    let bytes = match (ip, six) {
        (IpAddr::V4(ip), false) => ip.octets().to_vec(),
        (IpAddr::V4(ip), true) => ip.to_ipv6_mapped().octets().to_vec(),
        (IpAddr::V6(ip), _) => ip.octets().to_vec(),
    };
    let mut spelled = String::new();
    for word in bytes.chunks_exact(4) {
        let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
        // Writing into a string cannot fail.
        let _ = write!(spelled, "{word:08X}");
    }
    spelled + &format!(":{port:04X}")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    };

    fn env(connection: &str, tmux: bool) -> Option<SshLine> {
        SshLine::detect(|name| match name {
            "SSH_CONNECTION" => Some(connection.to_owned()),
            "TMUX" if tmux => Some("/tmp/tmux-0/default,1,0".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn what_the_other_end_has_not_taken_is_seen() {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            // A machine without IPv6 has the one case only.
            let Ok(listener) = TcpListener::bind((ip, 0)) else { continue };
            let mut other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut this, _) = listener.accept().unwrap();
            let (at, from) = (this.local_addr().unwrap(), this.peer_addr().unwrap());
            let named = format!("{} {} {} {}", from.ip(), from.port(), at.ip(), at.port());
            let mut line = env(&named, false).unwrap();
            assert_eq!(line.under_way(), Some(0));
            assert!(env(&named, true).is_none(), "the terminal is tmux's");
            // More than the other end's buffer takes.
            this.set_nonblocking(true).unwrap();
            while this.write(&[0; 65_536]).is_ok() {}
            assert!(line.under_way().unwrap() > 10_000);
            drop(this);
            other.read_to_end(&mut Vec::new()).unwrap();
        }
    }

    #[test]
    fn a_connection_that_is_not_there_tells_nothing() {
        for named in ["", "nonsense", "10.0.0.1 5 10.0.0.2", "10.0.0.1 5 10.0.0.2 22"] {
            assert!(env(named, false).is_none(), "{named}");
        }
        assert_eq!(
            spell((IpAddr::V4(Ipv4Addr::LOCALHOST), 22), false),
            if cfg!(target_endian = "little") { "0100007F:0016" } else { "7F000001:0016" }
        );
    }
}
